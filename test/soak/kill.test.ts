import { describe, test } from 'vitest'
import { runKillTrial } from '../harness/kill-trial.ts'
import { mosquittoPubProgram } from '../harness/mosquitto.ts'
import { seedOf } from '../harness/seeded.ts'

const mosquittoPub = mosquittoPubProgram()
const first = seedOf('kill')
const rounds = Number(process.env['SOAK_ROUNDS'] ?? 3)

describe.skipIf(mosquittoPub === undefined)('300 tasks while parts are killed with -9', () => {
  const seeds = Array.from({ length: rounds }, (_, i) => first + i)
  test.each(
    seeds.flatMap((seed) => [
      { seed, apart: false },
      { seed, apart: true },
    ]),
  )('seed $seed, apart: $apart', async (how) => {
    await runKillTrial({ ...how, tasks: 300, kills: 60, mosquittoPub: mosquittoPub ?? '' })
  })
})
