import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { claimsIn } from '../../base/token-claims.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { issueToken } from '../../controller/identity/tokens.ts'
import { topicOf } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { openRawMqtt, type RawMqtt } from '../harness/raw-mqtt.ts'

let fleet: Installation | undefined
let raws: RawMqtt[] = []
afterEach(async () => {
  for (const raw of raws) raw.close()
  raws = []
  await fleet?.close()
  fleet = undefined
})

const connecting = async (to: Installation, token: string): Promise<{ raw: RawMqtt; code: number | undefined }> => {
  const raw = await openRawMqtt(to.endpoints.mqtt, { token })
  raws.push(raw)
  const connack = await raw.next('connack')
  return { raw, code: connack.cmd === 'connack' ? connack.returnCode : undefined }
}
const madeToken = async (to: Installation, name: string): Promise<string> => {
  const made = await to.cli(['token', 'create', '--name', name, '--role', 'viewer', '--json'])
  expect(made.stderr).toBe('')
  return JSON.parse(made.stdout).token
}

describe.each([
  { apart: false, broker: 'hub' },
  { apart: true, broker: 'broker' },
] as const)('skein token revoke, apart: $apart', ({ apart, broker }) => {
  test('ends the live connection within two seconds; REST says 401, MQTT refuses, after a restart of the broker too', async () => {
    const here = await startInstallation({ apart, devices: 0 })
    fleet = here
    const token = await madeToken(here, 'guest')
    const { raw, code } = await connecting(here, token)
    expect(code).toBe(0)
    expect((await here.api('GET', '/status', undefined, token)).status).toBe(200)
    let closedAt = Number.POSITIVE_INFINITY
    raw.socket.once('close', () => {
      closedAt = performance.now()
    })
    const revoked = await here.cli(['token', 'revoke', 'guest'])
    const revokedAt = performance.now()
    expect(revoked.code).toBe(0)
    expect((await here.api('GET', '/status', undefined, token)).status).toBe(401)
    await raw.closed()
    expect(closedAt - revokedAt).toBeLessThan(2000)
    expect((await connecting(here, token)).code).toBe(5)

    const killed = here.kill(broker)
    await eventually('the broker runs again', () => ![undefined, killed].includes(here.pidOf(broker)))
    await eventually('it refuses', async () => (await connecting(here, token)).code === 5)
  })
})

test('what a revoked token has left as its will is not carried out, though its subject has another token', async () => {
  const here = await startInstallation({})
  fleet = here
  await here.online('local')
  const stolen = here.token
  const witness = join(here.root, 'witness')
  const will = {
    topic: topicOf('default', 'request', { client: 'admin', operation: 'task/submit' }),
    retain: false,
    payload: JSON.stringify({ payload: { command: ['touch', witness] } }),
  }
  const thief = await openRawMqtt(here.endpoints.mqtt, { token: stolen, will })
  raws.push(thief)
  await thief.next('connack')
  expect((await here.cli(['key', 'rotate', 'tokens'])).code).toBe(0)
  await eventually('another token', () => readFileSync(here.paths.adminToken, 'utf8').trim() !== stolen)
  const { jti = '' } = claimsIn(stolen)
  expect(await here.cli(['token', 'revoke', jti])).toMatchObject({ code: 0 })
  await thief.closed()
  expect((await here.cli(['run', '--', 'true'])).code).toBe(0)
  const { stdout } = await here.cli(['task', 'list', '--json'])
  expect(JSON.parse(stdout)).toHaveLength(1)
  expect(existsSync(witness)).toBe(false)
})

describe('a device whose token has expired', () => {
  test.each([{ apart: false }, { apart: true }])('gets a new one and is online again, apart: $apart', async ({ apart }) => {
    const here = await startInstallation({ apart })
    fleet = here
    await here.online('local')
    const file = here.paths.device('local').token
    const { ctl } = claimsIn(readFileSync(file, 'utf8').trim())
    const old = await issueToken(openTokenKeys(here.paths).newest(), {
      ...{ subject: 'local', role: 'device', fleet: 'default', jti: 'long-ago', ctl },
      ...{ now: Date.now() - 3_600_000, ttlSeconds: 60 },
    })
    writeFileSync(file, old, { mode: 0o600 })
    expect(here.kill('device local')).toBeGreaterThan(0)
    await eventually('a new token', () => readFileSync(file, 'utf8').trim() !== old, 40_000)
    expect(claimsIn(readFileSync(file, 'utf8').trim()).exp).toBeGreaterThan(Date.now() / 1000)
    await eventually(
      'it takes work again',
      async () => (await here.answered('GET', '/devices/local')).body.state === 'online',
      40_000,
    )
    const task = await here.submit({ payload: { command: ['true'] } })
    expect((await here.ended(task)).state).toBe('succeeded')
  })
})
