import { describe, test } from 'vitest'
import { runKillTrial } from '../harness/kill-trial.ts'
import { mosquittoPubProgram } from '../harness/mosquitto.ts'
import { seedOf } from '../harness/seeded.ts'

const mosquittoPub = mosquittoPubProgram()

describe.skipIf(mosquittoPub === undefined)('tasks while parts are killed with -9', () => {
  test.each([
    ['hub and devices', false],
    ['broker, controller and devices', true],
  ] as const)(
    '%s: every acknowledged task runs once and ends once',
    async (_, apart) => {
      await runKillTrial({ apart, tasks: 40, kills: 12, seed: seedOf('kill'), mosquittoPub: mosquittoPub ?? '' })
    },
    120_000,
  )
})
