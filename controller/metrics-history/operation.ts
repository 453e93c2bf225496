import type { Clock } from '../../base/clock.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import { instant } from '../../schemas/ids.ts'
import type { InputOf } from '../../schemas/operations.ts'
import { maxOutputBytes } from '../../schemas/request.ts'
import type { Fleet } from '../fleet.ts'
import type { Handlers } from '../handlers.ts'
import type { Reading } from '../reading/reading.ts'
import type { MetricsHistory } from './history.ts'
import { minuteMs } from './hours.ts'
import { windowOf } from './series.ts'

export interface MetricsOperationDeps {
  fleet: Fleet
  history: MetricsHistory
  reading: Reading
  clock: Clock
}

/** So many points of all devices together fit in a message. */
const mostPoints = 6000
const usualSpanMs = 3600 * 1000

/** How busy devices have been: what is stored, and over it what is not yet. */
export const metricsOperation = ({ fleet, history, reading, clock }: MetricsOperationDeps) => {
  const spanOf = (input: InputOf<'device.metrics'>): Outcome<{ since: number; until: number }> => {
    const now = clock.now()
    const until =
      input.until === undefined
        ? Math.max(now, input.since === undefined ? 0 : Date.parse(input.since) + 1)
        : Date.parse(input.until)
    const since = input.since === undefined ? Math.min(now, until) - usualSpanMs : Date.parse(input.since)
    if (since < until) return accepted({ since, until })
    return refused('invalid', 'since: must be before until', [
      { field: 'since', code: 'invalid', message: 'must be before until' },
    ])
  }

  return {
    'device.metrics': async (_, input) => {
      const asked = new Set(input.devices)
      const most = Math.floor(mostPoints / asked.size)
      if (input.points > most) {
        const message = `is too many for ${asked.size} devices: all together have at most ${mostPoints}`
        return refused('invalid', `points: ${message}`, [
          { field: 'points', code: 'too_big', message, accepted: [`1 to ${most}`] },
        ])
      }
      const span = spanOf(input)
      if (!span.ok) return span
      const devices = [...asked].filter((name) => fleet.devices.has(name))
      for (let { points } = input; ; points = Math.ceil(points / 2)) {
        const window = windowOf({ ...span.output, points }, clock.now(), history.keepMs)
        const output = {
          from: instant(window.from * minuteMs),
          step_seconds: window.step * 60,
          devices: await reading.deviceMetrics(devices, window, history.fresh(devices)),
        }
        // Where hardly anything was heard the same number of points takes more room.
        if (points === 1 || Buffer.byteLength(JSON.stringify(output)) <= maxOutputBytes) return accepted(output)
      }
    },
  } satisfies Partial<Handlers>
}
