import { accepted, type Outcome, refused } from '../../../schemas/errors.ts'
import type { WorkloadRequestInput } from '../../../schemas/workload-requests.ts'
import type { LiveWorkload } from '../live-workload.ts'

/** Wakes those who wait for news in the log of a workload. */
export const createBells = () => {
  const waiting = new Map<string, Set<() => void>>()
  return {
    ring: (workload: string): void => {
      for (const call of [...(waiting.get(workload) ?? [])]) call()
    },
    /** Resolves at the next ring, after a while, or when nobody wants it any more. */
    next: (workload: string, withinMs: number, signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        const calls = waiting.get(workload) ?? new Set()
        waiting.set(workload, calls)
        const timer = setTimeout(done, withinMs)
        function done(): void {
          clearTimeout(timer)
          calls.delete(done)
          signal.removeEventListener('abort', done)
          resolve()
        }
        calls.add(done)
        signal.addEventListener('abort', done)
      }),
  }
}
export type Bells = ReturnType<typeof createBells>

/** Of a file that a program writes by itself nobody tells: it is looked at so often. */
const lookMs = 500

/** The log of a workload page by page, and then what comes, until nobody listens any more. */
export async function* followLog(
  live: ReadonlyMap<string, LiveWorkload> | undefined,
  bells: Bells,
  { workload, follow_seconds: _, ...question }: WorkloadRequestInput<'logs'>,
  signal: AbortSignal,
): AsyncGenerator<unknown, Outcome<unknown>> {
  let asked = question
  for (;;) {
    const one = live?.get(workload)
    if (!one || one.isRemoved) return refused('not_found', `this device has no workload "${workload}"`)
    const page = await one.log.page(asked)
    if (page.records.length > 0) yield { workload, ...page }
    if (signal.aborted) return accepted({})
    const { tail: _tail, since: _since, ...rest } = asked
    asked = { ...rest, after: page.next }
    if (page.records.length === 0) await bells.next(workload, lookMs, signal)
  }
}
