import { test } from 'vitest'
import { cancelAgents } from '../harness/agent-cancel-trial.ts'
import { findAgentPrograms } from '../harness/agent-programs.ts'
import { seedOf } from '../harness/seeded.ts'

const programs = findAgentPrograms()
const cancels = Number(process.env['SOAK_CANCELS'] ?? 100)

test.skipIf(programs === undefined)(`agents that are cancelled ${cancels} times at random moments`, async () => {
  await cancelAgents({ seed: seedOf('agent-cancel'), cancels, path: programs?.path ?? '' })
})
