import type { Clock } from '../../base/clock.ts'
import { openRunLog } from './run-log.ts'
import type { Segments } from './segments.ts'

const run = '.rehearsal'

/**
 * Writes a log and throws it away. A function that is called for the first time has to be compiled, and all those between the read of a pipe
 * and the write of what was read take a millisecond for it, in which a kill of the daemon would take the read along.
 */
export const rehearse = (segments: Segments, clock: Clock): void => {
  const nothing = (): void => {}
  const log = openRunLog({
    ...{ run, options: {}, segments, found: [], clock, now: clock.now, acked: 0 },
    ...{ changed: nothing, grown: nothing, report: nothing },
  })
  const line = Buffer.from('a line\n')
  for (const stream of ['o', 'e', 'o', 'e'] as const) log.push(stream, line)
  log.release()
  for (const one of log.parts(0)) segments.remove(one)
}
