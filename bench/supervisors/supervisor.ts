import type { World } from '../world.ts'

/** A program that is to run for ever: whenever it ends it is started again at once. */
export interface Service {
  name: string
  command: readonly [string, ...string[]]
}

/** Something that keeps services running, as its guide has it. */
export interface Supervisor {
  /** Its daemon. */
  pid: number
  /** What it has beside its daemon for what it runs. */
  helpers(): number[]
  /** The files into which what a service writes to stdout goes. */
  logsOf(service: string): string[]
  /** How many lines its log has, as whoever reads it sees them. */
  linesOf(service: string): Promise<number>
  /** Ends it, and what it runs. */
  end(): Promise<void>
}

export type Supervise = (world: World, services: readonly Service[]) => Promise<Supervisor>
