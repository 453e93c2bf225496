import { existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

let fleet: Installation
beforeAll(async () => {
  fleet = await startInstallation({ devices: 0 })
})
afterAll(() => fleet.close())

test('a device waits for the file with the join token, joins, and afterwards needs it no more', async () => {
  const file = join(fleet.root, 'join-token')
  const start = () => fleet.startJoining('box', file)
  const first = start()
  await eventually('it says what it waits for', () => fleet.log().includes(`there is no ${file} yet`))

  const made = await fleet.cli(['token', 'create', '--role', 'join', '--uses', '3', '--file', file])
  expect(made).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching(/^join ".*: .*join-token\n$/) })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await fleet.online('box')
  const { code, stdout } = await fleet.cli(['run', '--device', 'box', '--', 'echo', 'joined'])
  expect([code, stdout]).toEqual([0, 'joined\n'])

  await first.end()
  rmSync(file)
  await eventually('it is offline', async () => (await fleet.answered('GET', '/devices/box')).body.state === 'offline')
  start()
  await fleet.online('box')
  expect(existsSync(file)).toBe(false)
})
