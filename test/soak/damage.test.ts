import { afterAll, beforeAll, test } from 'vitest'
import { type DamageTrial, damages, startDamageTrial } from '../harness/damage-trial.ts'
import { seedOf } from '../harness/seeded.ts'

const times = Number(process.env['SOAK_DAMAGES'] ?? 100)

const seed = seedOf('damage')
let trial: DamageTrial
beforeAll(async () => {
  trial = await startDamageTrial()
})
afterAll(() => trial?.close())

test.each(['controller.db', 'logs.db', 'journal.db'] as const)(`${times} damaged copies of %s`, async (target) => {
  for (let i = 0; i < times; i++) {
    const damage = damages[i % damages.length] ?? 'garbled'
    await trial.trial(target, damage, seed + i)
  }
})
