import type { BenchPart } from './part.ts'
import { type Measured, openBullQueue, openSkeinStarts } from './queues.ts'
import { median, printTable, rounded } from './statistics.ts'

const inFlight = 64
const rounds = 3
const window = { warmMs: 2000, forMs: 5000 }
const program = '/bin/true'
/** Each takes the number of programs at a time that suits it best. */
const widths = [16, 64]

/** How many programs a second are started for tasks and seen to their end, through one real device, beside BullMQ whose worker spawns them. */
export const start: BenchPart = {
  about: '/bin/true tasks per second through one real device, 64 in flight, beside a BullMQ worker that spawns the same',
  run: async (world) => {
    const contenders = await Promise.all(
      widths.flatMap((width) => [
        openBullQueue(world, inFlight, { program, concurrency: width }).then((queue) => ({ name: `bullmq ${width}`, queue })),
        openSkeinStarts(world, inFlight, program, width).then((queue) => ({ name: `skein ${width}`, queue })),
      ]),
    )
    const found = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]))
    // In turns: what else the machine does meanwhile hits all of them.
    for (let round = 0; round < rounds; round++) {
      for (const { name, queue } of contenders) found.get(name)?.push(await queue.measure(window))
    }
    const speed = (name: string): number => median((found.get(name) ?? []).map(({ perSecond }) => perSecond))
    const best = (peer: string): number => Math.max(...widths.map((width) => speed(`${peer} ${width}`)))
    printTable([
      ['tasks/s', ...Array.from({ length: rounds }, (_, i) => `round ${i + 1}`), 'median', 'µs of CPU per task'],
      ...[...found].map(([name, measured]) => [
        name,
        ...measured.map(({ perSecond }) => Math.round(perSecond)),
        Math.round(speed(name)),
        Object.entries(measured.at(-1)?.cpu ?? {})
          .map(([part, us]) => `${part} ${us}`)
          .join(', '),
      ]),
    ])
    return {
      ratio: rounded(best('skein') / best('bullmq')),
      must: 1.2,
      aim: 2,
      tasks_per_second: Math.round(best('skein')),
      bullmq_per_second: Math.round(best('bullmq')),
      in_flight: inFlight,
    }
  },
}
