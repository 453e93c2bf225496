import type { SomeWorkload } from './lone-device.ts'
import type { Seeded } from './seeded.ts'

/**
 * What every program of a trial does first: it takes a lock that only one of its workload can have, and signs the witness with its run
 * and its slot. `double` stands there if another one of it is still alive.
 */
const sign = [
  'exec 9>>"$0.$SKEIN_WORKLOAD.lock"',
  'word=starts',
  'flock -n 9 || word=double',
  '[ "$SKEIN_SLOT" ] || SKEIN_SLOT=-',
  'echo "$SKEIN_WORKLOAD $SKEIN_RUN $SKEIN_SLOT $word" >>"$0"',
].join('; ')

const program = (witness: string, then: string): string[] => ['sh', '-c', `${sign}; ${then}`, witness]

const named = (word: string, count: number, of: (i: number) => Omit<SomeWorkload, 'name'>): SomeWorkload[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${word}-${i}`, ...of(i) }))

/** Fifty services of all kinds: what stays, what crashes or ends by itself, what needs others, what is checked, what has an end. */
export const manyServices = (witness: string, chance: Seeded): SomeWorkload[] => {
  const crashing = { delay_seconds: 0.05, max_delay_seconds: 0.4, crash_loop: false }
  const some = (): string => chance.between(0.05, 1.5).toFixed(2)
  return [
    ...named('steady', 20, () => ({ command: program(witness, 'exec sleep 10000') })),
    // Its child is in its group, and goes with it.
    ...named('parent', 4, () => ({ command: program(witness, 'sleep 10000 & sleep 10000 & wait') })),
    ...named('crasher', 8, (i) => ({ command: program(witness, `sleep ${some()}; exit ${i}`), restart: crashing })),
    ...named('leaver', 4, () => ({ command: program(witness, `sleep 10000 & sleep ${some()}; exit 9`), restart: crashing })),
    ...named('app', 6, (i) => ({
      command: program(witness, i < 3 ? 'exec sleep 10000' : `sleep ${some()}; exit 1`),
      restart: crashing,
      depends_on: [`steady-${i}`, 'checked-0'],
    })),
    ...named('checked', 4, (i) => ({
      command: program(witness, 'exec sleep 10000'),
      health: { command: ['test', '-e', witness], interval_seconds: 0.3 },
      ...(i === 0 ? {} : { depends_on: [{ name: 'checked-0', condition: 'healthy' }] }),
    })),
    ...named('counted', 4, (i) => ({
      ...{ type: 'script', run_mode: 'n_times', max_runs: 3 + chance.below(12), restart: { delay_seconds: 0.05 } },
      command: program(witness, `sleep ${some()}; exit ${i % 2}`),
    })),
  ]
}

export type Plan = SomeWorkload & { overlap: string; missed: string }

/** Twenty schedules of every second or two, with every policy for what overlaps and for what was missed. */
export const manySchedules = (witness: string, chance: Seeded): Plan[] => {
  const overlaps = ['queue', 'skip', 'replace'] as const
  const missed = ['all', 'skip', 'latest'] as const
  return named('tick', 20, (i) => {
    const overlap = overlaps[i % 3] ?? 'queue'
    // What queues must have its work done by the time of the next one.
    const most = overlap === 'queue' ? 0.4 : 2.2
    return {
      ...{ type: 'script', run_mode: 'schedule', overlap, missed: missed[Math.floor(i / 3) % 3] ?? 'all', timezone: 'UTC' },
      schedule: i % 2 === 0 ? '* * * * * *' : '*/2 * * * * *',
      command: program(witness, `sleep ${chance.between(0.05, most).toFixed(2)}; exit ${chance.below(2)}`),
    }
  }) as Plan[] // each of them has been given both
}
