import { afterAll, beforeAll, describe, test } from 'vitest'
import { type DamageTrial, damages, startDamageTrial } from '../harness/damage-trial.ts'
import { seedOf } from '../harness/seeded.ts'

const seed = seedOf('damage')
let trial: DamageTrial
beforeAll(async () => {
  trial = await startDamageTrial()
})
afterAll(() => trial?.close())

describe('damaged files do not keep it from starting', () => {
  test.each(damages)('of the controller: %s', async (damage) => {
    await trial.trial('controller.db', damage, seed)
    await trial.trial('logs.db', damage, seed)
  })
  test.each(damages)('of a device: %s', (damage) => trial.trial('journal.db', damage, seed))
})
