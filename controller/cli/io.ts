import type { Chance } from '../../base/chance.ts'
import type { Clock } from '../../base/clock.ts'
import type { Typed } from './typed.ts'

/** What a verb may touch of the process that it runs in. */
export interface Io {
  env: Readonly<Record<string, string | undefined>>
  out: (bytes: string | Uint8Array) => void
  err: (bytes: string | Uint8Array) => void
  /** How wide and how colourful a table may be; undefined when the output is no terminal. */
  terminal: { columns: number; colours: boolean } | undefined
  readStdin: (maxBytes: number) => Promise<string>
  /** Takes what is typed or piped as it comes. */
  openTyped: () => Typed
  /** Calls for every Ctrl-C from now on, instead of ending the process. */
  onInterrupt: (call: () => void) => void
  /** Calls when nobody reads the output any more. */
  onOutClosed: (call: () => void) => void
  clock: Clock
  chance: Chance
}

/** The flags that every verb takes. */
export interface GlobalFlags {
  json?: boolean
  url?: string
  token?: string
  fleet?: string
  /** A file with the certificate that the broker is trusted for. */
  tlsCa?: string
  /** How to log in at the broker: token or digest. */
  login?: string
  data?: string
  /** A profile by name, instead of the active one. */
  profile?: string
  /** Seconds to keep trying to reach the controller. */
  timeout?: number
}

export const printJson = (io: Io, value: unknown): void => io.out(`${JSON.stringify(value, null, io.terminal ? 2 : undefined)}\n`)
