import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

let fleet: Installation
beforeAll(async () => {
  fleet = await startInstallation({ apart: true, env: { SKEIN_LOG_LEVEL: 'trace' } })
  await fleet.online('local')
})
afterAll(() => fleet?.close())

test('no token, key or output stands in the logs, whatever level they have and whatever goes wrong', async () => {
  const device = readFileSync(fleet.paths.device('local').token, 'utf8').trim()
  const secret = 'the-secret-that-a-task-prints'
  await fleet.ended(await fleet.submit({ payload: { command: ['echo', secret], env: { PASSWORD: 'hunter2-hunter2' } } }))
  const forged = `${fleet.token.slice(0, -6)}AAAAAA`
  expect((await fleet.api('GET', '/status', undefined, forged)).status).toBe(401)
  expect((await fleet.api('GET', '/status', undefined, device)).status).toBeGreaterThanOrEqual(400)
  await expect(fleet.mqtt(forged)).rejects.toThrow()
  expect((await fleet.cli(['status', '--token', forged, '--timeout', '3'])).code).not.toBe(0)
  fleet.kill('controller')
  await eventually('the controller is back', async () => (await fleet.api('GET', '/status')).status === 200)
  const log = fleet.log()
  expect(log.length).toBeGreaterThan(500)
  for (const one of [fleet.token, device, forged, readFileSync(fleet.paths.controllerToken, 'utf8').trim()]) {
    expect(log.includes(one)).toBe(false)
    // Nor its signature alone.
    expect(log.includes(one.split('.')[2] ?? one)).toBe(false)
  }
  for (const one of [secret, 'hunter2', 'PRIVATE KEY']) expect(log).not.toContain(one)
})

test('SIGUSR2 changes the level of a part, and back', async () => {
  const pid = fleet.pidOf('broker')
  const changes = (): unknown[] =>
    fleet
      .log()
      .split('\n')
      .flatMap((line) => (line.includes('was changed by a signal') ? [JSON.parse(line).level_now] : []))
  for (const expected of [['debug'], ['debug', 'trace']]) {
    process.kill(pid ?? 0, 'SIGUSR2')
    await eventually(`a change to ${expected.at(-1)}`, () => changes().length === expected.length)
    expect(changes()).toEqual(expected)
  }
  expect(fleet.pidOf('broker')).toBe(pid)
})
