import { test } from 'vitest'
import { runRolloutTrial } from '../harness/rollout-trial.ts'
import { seedOf } from '../harness/seeded.ts'

const kills = Number(process.env['SOAK_KILLS'] ?? 70)

test(`rollouts and rollbacks over 20 devices go on through ${kills} kill -9 of hub and devices`, async () => {
  console.info(await runRolloutTrial({ devices: 20, kills, seed: seedOf('rollout-kill') }))
})
