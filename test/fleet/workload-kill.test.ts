import { describe, test } from 'vitest'
import { seedOf } from '../harness/seeded.ts'
import { canMount } from '../harness/small-disk.ts'
import { runWorkloadKillTrial } from '../harness/workload-kill-trial.ts'

// Another boot id is put over the kernel's, which takes the same rights as a small disk.
describe.skipIf(!canMount())('50 services and 20 schedules', () => {
  test('outlive six kill -9 of their daemon, and two power cuts: none twice, none missing, none left', async () => {
    console.info(await runWorkloadKillTrial({ kills: 6, cutEvery: 3, seed: seedOf('workload-kill') }))
  }, 180_000)
})
