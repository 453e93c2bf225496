import type { Clock } from '../base/clock.ts'
import { accepted } from '../schemas/errors.ts'
import { instant } from '../schemas/ids.ts'
import type { Handlers } from './handlers.ts'
import type { Reading } from './reading/reading.ts'

const minuteMs = 60_000

/** How much work comes in and how it ends, by the whole minutes of the clock; the last of them is under way. */
export const throughput = ({ reading, clock }: { reading: Reading; clock: Clock }) =>
  ({
    'task.throughput': async (_, { minutes }) => {
      const from = (Math.floor(clock.now() / minuteMs) - minutes + 1) * minuteMs
      const counts = await reading.throughput(from, minutes)
      return accepted({ from: instant(from), step_seconds: minuteMs / 1000, ...counts })
    },
  }) satisfies Partial<Handlers>
