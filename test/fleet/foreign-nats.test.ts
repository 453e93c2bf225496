import { afterAll, beforeAll, describe } from 'vitest'
import { type ForeignFleet, startForeignFleet } from '../harness/foreign-fleet.ts'
import { describeForeignFlow } from '../harness/foreign-flow.ts'
import { natsProgram, startNatsIn } from '../harness/nats.ts'

const program = natsProgram()

describe.skipIf(program === undefined)('a fleet on NATS, as broker-config sets it up', () => {
  let fleet: ForeignFleet
  beforeAll(async () => {
    fleet = await startForeignFleet({
      kind: 'nats',
      devices: ['one', 'two'],
      start: (folder, port) => startNatsIn(program ?? '', folder, port),
      reload: async (broker) => broker.signal('SIGHUP'),
    })
  })
  afterAll(async () => {
    await fleet?.close()
  })
  describeForeignFlow(() => fleet)
})
