import type { Message } from '../../../base/bus.ts'
import { type Clock, sleep } from '../../../base/clock.ts'
import { silentLog } from '../../../base/log.ts'
import { type Link, openLink, type Will } from '../../../base/mqtt-link.ts'

export interface ProbeOptions {
  url: string
  clientId: string
  username: string
  password: string
  will?: Will
  ca?: string | undefined
  clock: Clock
}

/** One connection that a broker is tried with, and everything that came in. */
export interface Probe {
  link: Link
  received: Message[]
  isOpen(): boolean
  /** Why it has ended. */
  reason(): string | undefined
  /** Waits for a fact, or until the time is over; gives whether it came true. */
  until(holds: () => boolean, withinMs?: number): Promise<boolean>
  /** Whether the broker granted it; undefined when it did not answer. */
  subscribe(filter: string): Promise<boolean | undefined>
}

export type Opening = { ok: true; probe: Probe } | { ok: false; kind: 'refused' | 'unreachable'; reason: string }

const connectWithinMs = 10_000

/** Connects once; no second try. */
export const openProbe = async (options: ProbeOptions): Promise<Opening> => {
  const { clock } = options
  const received: Message[] = []
  let state: 'opening' | 'open' | 'over' = 'opening'
  let refusal: string | undefined
  let reason: string | undefined
  const link = openLink(
    { ...options, will: options.will, ca: options.ca, log: silentLog },
    {
      up: () => {
        state = 'open'
      },
      message: (message) => received.push(message),
      refused: (why) => {
        refusal = why
      },
      down: (why) => {
        state = 'over'
        reason = why
      },
    },
  )
  const until = async (holds: () => boolean, withinMs = 4000): Promise<boolean> => {
    const deadline = clock.mono() + withinMs
    while (!holds()) {
      if (clock.mono() >= deadline) return false
      await sleep(clock, 10)
    }
    return true
  }
  await until(() => state !== 'opening', connectWithinMs)
  // What the state is after the wait, the compiler cannot see.
  if ((state as string) !== 'open') {
    link.cut('given up')
    return { ok: false, kind: refusal === undefined ? 'unreachable' : 'refused', reason: refusal ?? reason ?? 'no answer' }
  }
  return {
    ok: true,
    probe: {
      link,
      received,
      isOpen: () => state === 'open',
      reason: () => reason,
      until,
      subscribe: async (filter) => {
        let granted: boolean | undefined
        void link.subscribe(filter).then((answer) => {
          granted = answer
        })
        await until(() => granted !== undefined || state === 'over')
        return granted
      },
    },
  }
}
