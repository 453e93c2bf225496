import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCancelTrial } from '../harness/cancel-trial.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, isAlive, startInstallation } from '../harness/installation.ts'
import { seedOf } from '../harness/seeded.ts'

let installation: Installation

beforeAll(async () => {
  installation = await startInstallation({ devices: 2, env: { SKEIN_CAPACITY: '3' } })
})

afterAll(async () => {
  await installation.close()
})

test('40 cancels at random moments: each ends its task, or came after its end', async () => {
  const tally = await runCancelTrial(installation, 40, seedOf('cancel'))
  console.info(tally)
}, 90_000)

test('a cancelled task that was queued never starts', async () => {
  const witness = join(installation.root, 'queued')
  const id = await installation.submit({
    payload: { command: ['sh', '-c', 'echo started >>"$1"', 'sh', witness] },
    target: { device: 'later' },
  })
  expect((await installation.task(id)).state).toBe('queued')
  const { status, body } = await installation.cancel(id)
  expect([status, body.state, body.reason]).toEqual([200, 'cancelled', 'cancelled by admin'])
  expect((await installation.cancel(id)).status, 'once more is the same').toBe(200)

  const device = await installation.startDevice(
    'later',
    installation.endpoints.mqtt,
    await installation.tokenFor('later', 'device'),
  )
  await installation.online('later')
  const after = await installation.submit({ payload: { command: ['true'] }, target: { device: 'later' } })
  await installation.ended(after)
  expect(existsSync(witness)).toBe(false)
  expect((await installation.task(id)).runs).toEqual([])
  // Gone before another test submits: nobody else could run what it is given.
  device.kill('SIGTERM')
  await eventually('it has left', async () => (await installation.answered('GET', '/devices/later')).body.state === 'offline')
})

test('cancel of a task that has ended is a conflict and changes nothing', async () => {
  const id = await installation.submit({ payload: { command: ['sh', '-c', 'exit 3'] } })
  const before = await installation.ended(id)
  const { status, body } = await installation.cancel(id)
  expect([status, body.error.code, body.error.details]).toMatchObject([
    409,
    'conflict',
    [{ field: 'task_id', code: 'terminal_state' }],
  ])
  expect((await installation.task(id)).state).toBe(before.state)
  expect((await installation.cli(['task', 'cancel', id])).code).toBe(3)
})

test('cancel while its device is down is asked at once, and done when the device is back', async () => {
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
  await eventually(
    'the device is gone',
    async () => (await installation.answered('GET', '/devices/down')).body.state === 'offline',
  )

  const { status, body } = await installation.cancel(id)
  expect([status, body.state]).toEqual([200, 'active'])
  expect(body.cancel_requested_at).not.toBeNull()
  const pid = Number(readFileSync(witness, 'utf8'))
  expect(isAlive(pid), 'nobody is there to stop it').toBe(true)

  await installation.startDevice('down', installation.endpoints.mqtt, token)
  const ended = await installation.ended(id)
  expect([ended.state, ended.runs[0]?.state, ended.runs[0]?.confirmed]).toEqual(['cancelled', 'cancelled', true])
  expect(isAlive(pid)).toBe(false)
})
