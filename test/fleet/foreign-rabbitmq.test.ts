import { afterAll, beforeAll, describe } from 'vitest'
import { type ForeignFleet, startForeignFleet } from '../harness/foreign-fleet.ts'
import { describeForeignFlow } from '../harness/foreign-flow.ts'
import { rabbitmqProgram, startRabbitmqIn } from '../harness/rabbitmq.ts'

const program = rabbitmqProgram()

// Erlang takes its time to start.
describe.skipIf(program === undefined)('a fleet on RabbitMQ, as broker-config sets it up', { timeout: 120_000 }, () => {
  let fleet: ForeignFleet
  beforeAll(async () => {
    fleet = await startForeignFleet({
      kind: 'rabbitmq',
      devices: ['one', 'two'],
      start: (folder, port) => startRabbitmqIn(program ?? '', folder, port),
      // It reads the definitions when it starts.
      reload: async (broker) => {
        await broker.kill()
        await broker.startAgain()
      },
    })
  }, 120_000)
  afterAll(async () => {
    await fleet?.close()
  })
  describeForeignFlow(() => fleet, { retain: /wildcard/ })
})
