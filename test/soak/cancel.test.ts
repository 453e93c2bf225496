import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCancelTrial } from '../harness/cancel-trial.ts'
import { type Installation, isAlive, startInstallation } from '../harness/installation.ts'
import { seedOf } from '../harness/seeded.ts'

let installation: Installation

beforeAll(async () => {
  installation = await startInstallation({ devices: 2, env: { SKEIN_CAPACITY: '4' } })
})

afterAll(async () => {
  await installation.close()
})

test('500 cancels at random moments', async () => {
  console.info(await runCancelTrial(installation, 500, seedOf('cancel')))
})

test('cancel that nobody confirms is shown as done after 30 s, unconfirmed until the device is back', async () => {
  const witness = join(installation.root, 'down')
  const token = await installation.tokenFor('down', 'device')
  const device = await installation.startDevice('down', installation.endpoints.mqtt, token)
  await installation.online('down')
  const id = await installation.submit({
    payload: { command: ['sh', '-c', 'echo $$ >>"$1"; exec sleep 600', 'sh', witness] },
    target: { device: 'down' },
  })
  await installation.taskWhen('it runs', id, ({ runs }) => runs[0]?.state === 'running')
  device.kill('SIGKILL')
  const asked = (await installation.cancel(id)).body
  expect([asked.state, asked.cancel_requested_at === null]).toEqual(['active', false])

  const shown = await installation.ended(id, 60_000)
  expect([shown.state, shown.runs[0]?.state, shown.runs[0]?.confirmed]).toEqual(['cancelled', 'cancelled', false])
  expect(Date.parse(shown.ended_at ?? '') - Date.parse(asked.cancel_requested_at)).toBeGreaterThanOrEqual(30_000)
  const pid = Number(readFileSync(witness, 'utf8'))
  expect(isAlive(pid)).toBe(true)

  await installation.startDevice('down', installation.endpoints.mqtt, token)
  const confirmed = await installation.taskWhen('it is confirmed', id, ({ runs }) => runs[0]?.confirmed === true)
  expect(confirmed.state).toBe('cancelled')
  expect(isAlive(pid)).toBe(false)
})
