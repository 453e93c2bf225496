import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type ForeignFleet, startForeignFleet } from '../harness/foreign-fleet.ts'
import { describeForeignFlow, submit } from '../harness/foreign-flow.ts'
import { mosquittoProgram, startMosquittoIn } from '../harness/mosquitto.ts'

const program = mosquittoProgram()

describe.skipIf(program === undefined)('a fleet on Mosquitto, as broker-config sets it up', () => {
  let fleet: ForeignFleet
  beforeAll(async () => {
    fleet = await startForeignFleet({
      kind: 'mosquitto',
      devices: ['one', 'two'],
      start: (folder, port) => startMosquittoIn(program ?? '', folder, port),
      reload: async (broker) => broker.signal('SIGHUP'),
    })
  })
  afterAll(async () => {
    await fleet?.close()
  })
  describeForeignFlow(() => fleet)

  test('kill -9 of the broker loses nothing: every task runs once, with its whole output', async () => {
    const witness = join(fleet.root, 'kill')
    const ids: string[] = []
    for (let i = 0; i < 12; i++) {
      const command = `echo ${i} >> ${witness}; for n in 1 2 3 4 5; do echo ${i}-$n; sleep 0.2; done`
      ids.push((await submit(fleet, JSON.stringify({ payload: { command } }))).stdout)
      if (i % 4 === 3) {
        await fleet.broker.kill()
        await fleet.broker.startAgain()
      }
    }
    for (const [i, id] of ids.entries()) {
      expect((await fleet.cli(['task', 'wait', id])).code).toBe(0)
      const whole = [1, 2, 3, 4, 5].map((n) => `${i}-${n}\n`).join('')
      await eventually(`the output of task ${i}`, async () => (await fleet.cli(['task', 'logs', id])).stdout === whole)
    }
    const ran = readFileSync(witness, 'utf8').trim().split('\n').map(Number)
    expect(ran.sort((a, b) => a - b)).toEqual(ids.map((_, i) => i))
  })
})
