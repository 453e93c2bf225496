import { test } from 'vitest'
import { runRolloutTrial } from '../harness/rollout-trial.ts'
import { seedOf } from '../harness/seeded.ts'

test('rollouts and rollbacks over six devices go on through kills of hub and devices, and keep what they promise', async () => {
  console.info(await runRolloutTrial({ devices: 6, kills: 6, seed: seedOf('rollout-kill') }))
}, 240_000)
