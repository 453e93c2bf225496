import type { BenchPart } from './part.ts'
import { type Measured, openBullQueue, openSkeinQueue } from './queues.ts'
import { percentile, printTable, rounded } from './statistics.ts'

const rounds = 3
const atLeast = 2000
const window = { warmMs: 1500, forMs: 1000, atLeast }

/** How long it takes from a submission until its submitter has seen the end, one at a time, beside BullMQ. */
export const latency: BenchPart = {
  about: 'milliseconds from submit to completed, seen by the submitter, one at a time, beside BullMQ',
  run: async (world) => {
    const bull = await openBullQueue(world, 1)
    const skein = await openSkeinQueue(world, 1, false)
    const found: Record<'bullmq' | 'skein', Measured[]> = { bullmq: [], skein: [] }
    for (let round = 0; round < rounds; round++) {
      found.bullmq.push(await bull.measure(window))
      found.skein.push(await skein.measure(window))
    }
    const at = (name: keyof typeof found, p: number): number =>
      rounded(
        percentile(
          found[name].map(({ latencies }) => percentile(latencies, p)),
          50,
        ),
        3,
      )
    const row = (name: keyof typeof found) => [
      name,
      at(name, 50),
      at(name, 99),
      found[name].map((one) => one.latencies.length).join(' '),
      Object.entries(found[name].at(-1)?.cpu ?? {})
        .map(([part, us]) => `${part} ${us}`)
        .join(', '),
    ]
    printTable([['ms', 'p50', 'p99', 'tasks', 'µs of CPU per task'], row('bullmq'), row('skein')])
    return {
      // The worse of both: a ratio of 1 is no worse than BullMQ.
      ratio: rounded(Math.min(at('bullmq', 50) / at('skein', 50), at('bullmq', 99) / at('skein', 99))),
      must: 1,
      p50_ms: at('skein', 50),
      p99_ms: at('skein', 99),
      bullmq_p50_ms: at('bullmq', 50),
      bullmq_p99_ms: at('bullmq', 99),
      p50_of_bullmq: rounded(at('skein', 50) / at('bullmq', 50)),
      p99_of_bullmq: rounded(at('skein', 99) / at('bullmq', 99)),
      aim_p50_of_bullmq: 0.8,
      aim_p99_of_bullmq: 0.5,
    }
  },
}
