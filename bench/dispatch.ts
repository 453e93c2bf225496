import type { BenchPart } from './part.ts'
import { type Measured, openBullQueue, openSkeinQueue } from './queues.ts'
import { median, printTable, rounded } from './statistics.ts'

const inFlight = 64
const rounds = 3
const window = { warmMs: 2000, forMs: 5000 }

/** How many tasks a second go from submission to an end that is stored and told, 64 in flight, beside BullMQ. */
export const dispatch: BenchPart = {
  about: 'no-op tasks per second, 64 in flight, in the hub and apart, beside BullMQ with Redis (appendfsync everysec)',
  run: async (world) => {
    const bull = await openBullQueue(world, inFlight)
    const hub = await openSkeinQueue(world, inFlight, false)
    const apart = await openSkeinQueue(world, inFlight, true)
    const found: Record<'bullmq' | 'hub' | 'apart', Measured[]> = { bullmq: [], hub: [], apart: [] }
    // In turns: what else the machine does meanwhile hits all of them.
    for (let round = 0; round < rounds; round++) {
      found.bullmq.push(await bull.measure(window))
      found.hub.push(await hub.measure(window))
      found.apart.push(await apart.measure(window))
    }
    const speed = (name: keyof typeof found): number => median(found[name].map(({ perSecond }) => perSecond))
    const row = (name: keyof typeof found) => [
      name,
      ...found[name].map(({ perSecond }) => Math.round(perSecond)),
      rounded(speed(name) / speed('bullmq')),
      Object.entries(found[name].at(-1)?.cpu ?? {})
        .map(([part, us]) => `${part} ${us}`)
        .join(', '),
    ]
    printTable([
      ['tasks/s', ...found.bullmq.map((_, i) => `round ${i + 1}`), 'ratio', 'µs of CPU per task'],
      row('bullmq'),
      row('hub'),
      row('apart'),
    ])
    return {
      ratio: rounded(speed('hub') / speed('bullmq')),
      must: 1.8,
      aim: 2.5,
      tasks_per_second: Math.round(speed('hub')),
      tasks_per_second_apart: Math.round(speed('apart')),
      ratio_apart: rounded(speed('apart') / speed('bullmq')),
      bullmq_per_second: Math.round(speed('bullmq')),
      in_flight: inFlight,
      client: 'raw sockets with mqtt-packet',
    }
  },
}
