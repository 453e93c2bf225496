import type { Clock } from '../base/clock.ts'
import type { Hello } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { streamOf } from '../schemas/sources.ts'
import type { DeviceIdentity } from './identity.ts'
import type { Journal } from './journal.ts'
import type { Shelf } from './logs/shelf.ts'

export interface HelloSources {
  journal: Journal
  shelf: Shelf
  clock: Clock
  boot: string
  identity?: DeviceIdentity | undefined
  /** The token in use. */
  token?: () => Hello['token']
  version: string
  /** What the device can enforce. */
  capabilities: () => readonly string[]
  labels: () => Record<string, string>
  capacity: number
  /** Why nothing new is taken; undefined if it is. */
  refuses: () => string | undefined
  /** What it is to run, as it has been told last. */
  releases?: { seen(): { revision: number } | undefined } | undefined
}

/** So many logs at most are named in one hello; the others follow when these are acknowledged. */
const mostLogs = 500

/** What a device says of itself on each connect: its memory and whom it believes, what was not acknowledged, and the runs that are open. */
export const helloOf = (from: HelloSources, nonce: string, believed: string[]): Hello => {
  const { journal, shelf, clock } = from
  const streams: Record<string, number> = {}
  const runs = journal.stream('runs')
  if (runs.acked < runs.last) streams['runs'] = runs.last
  const acked: Record<string, number> = {}
  for (const one of shelf.unsent().slice(0, mostLogs)) {
    streams[streamOf(one.run)] = one.last()
    acked[streamOf(one.run)] = one.acked()
  }
  return {
    session: journal.session(),
    journal: journal.id,
    nonce,
    epoch: journal.epoch(),
    proof: journal.epochProof(),
    keys: believed,
    ...(from.identity ? { identity: from.identity.public } : {}),
    ...(from.token ? { token: from.token() } : {}),
    revision: from.releases?.seen()?.revision ?? 0,
    boot: from.boot,
    mono_ms: clock.mono(),
    at: instant(clock.now()),
    streams,
    acked,
    runs: journal.openRuns().map((run) => ({ run: run.run_id, ...(run.task_id ? { task: run.task_id } : {}), state: run.state })),
    labels: from.labels(),
    capacity: from.capacity,
    version: from.version,
    refuses: from.refuses(),
  }
}
