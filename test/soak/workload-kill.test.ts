import { test } from 'vitest'
import { seedOf } from '../harness/seeded.ts'
import { runWorkloadKillTrial } from '../harness/workload-kill-trial.ts'

const kills = Number(process.env['SOAK_KILLS'] ?? 200)

test(`50 services and 20 schedules outlive ${kills} kill -9 of their daemon, every eighth with all that runs`, async () => {
  console.info(await runWorkloadKillTrial({ kills, cutEvery: 8, seed: seedOf('workload-kill') }))
})
