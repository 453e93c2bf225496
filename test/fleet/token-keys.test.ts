import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeProtectedHeader } from 'jose'
import { afterEach, describe, expect, test } from 'vitest'
import { pathsIn } from '../../base/paths.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { issueToken } from '../../controller/identity/tokens.ts'
import type { OutputOf } from '../../schemas/operations.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, plainEnv, startInstallation } from '../harness/installation.ts'
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
const kidOf = (file: string): string | undefined => decodeProtectedHeader(readFileSync(file, 'utf8').trim()).kid
const json = async (to: Installation, ...argv: string[]) => {
  const { code, stdout, stderr } = await to.cli([...argv, '--json'])
  expect([argv, code, stderr]).toEqual([argv, 0, ''])
  return JSON.parse(stdout)
}
const made = async (to: Installation, name: string): Promise<string> =>
  (await json(to, 'token', 'create', '--name', name, '--role', 'viewer')).token
const tokenKeysOf = async (to: Installation): Promise<OutputOf<'key.list'>['keys']> =>
  (await json(to, 'key', 'list')).keys.filter((one: { use: string }) => one.use === 'tokens')
const restApi = async (to: Installation, token: string): Promise<number> =>
  (await to.api('GET', '/status', undefined, token)).status

describe.each([
  { apart: false, broker: 'hub' },
  { apart: true, broker: 'broker' },
] as const)('skein key rotate tokens, apart: $apart', ({ apart, broker }) => {
  test('both keys hold while it runs and after restarts; devices go over; forgetting cuts off who has not', async () => {
    const here = await startInstallation({ apart })
    fleet = here
    await here.online('local')
    const deviceToken = here.paths.device('local').token
    const old = kidOf(deviceToken) ?? ''
    const left = await made(here, 'left')
    const live = await connecting(here, left)
    expect(live.code).toBe(0)

    const rotated = await json(here, 'key', 'rotate', 'tokens')
    const [fresh, older] = rotated.keys.filter((one: { use: string }) => one.use === 'tokens')
    expect([fresh.newest, older.id, older.newest]).toEqual([true, old, false])
    expect(kidOf(here.paths.adminToken)).toBe(fresh.id)
    const late = await made(here, 'late')
    expect((await connecting(here, late)).code).toBe(0)
    expect((await connecting(here, left)).code).toBe(0)
    expect(await Promise.all([left, late].map((token) => restApi(here, token)))).toEqual([200, 200])
    await eventually('the device has a token of the new key', () => kidOf(deviceToken) === fresh.id)
    await eventually('the device needs the old one no more', async () => {
      const [, now] = await tokenKeysOf(here)
      return now?.held_by?.includes('local') === false
    })

    const killed = here.kill(broker)
    await eventually('the broker runs again', () => ![undefined, killed].includes(here.pidOf(broker)))
    for (const token of [left, late]) await eventually('it lets both in', async () => (await connecting(here, token)).code === 0)
    await here.online('local')

    const refused = await here.cli(['key', 'forget', old])
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('admin, dashboard, left')])
    const { raw } = await connecting(here, left)
    const forgotten = await here.cli(['key', 'forget', old, '--force'])
    expect([forgotten.code, forgotten.stderr]).toEqual([0, 'Their tokens hold no more: admin, dashboard, left\n'])
    await raw.closed()
    expect((await connecting(here, left)).code).toBe(4)
    expect(await restApi(here, left)).toBe(401)
    expect((await connecting(here, late)).code).toBe(0)
    const run = await here.cli(['run', '--device', 'local', '--', 'echo', 'still here'])
    expect([run.code, run.stdout, run.stderr]).toEqual([0, 'still here\n', ''])

    const again = here.kill(broker)
    await eventually('the broker runs again', () => ![undefined, again].includes(here.pidOf(broker)))
    await eventually('it lets in who has a new one', async () => (await connecting(here, late)).code === 0)
    expect((await connecting(here, left)).code).toBe(4)
    const after = await here.cli(['run', '--device', 'local', '--', 'echo', 'and again'])
    expect([after.code, after.stdout]).toEqual([0, 'and again\n'])
  }, 90_000)
})

describe('a broker apart with a file of its own', () => {
  test('takes other keys from it while it runs; one that has none changes nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-broker-keys-'))
    const keys = openTokenKeys(pathsIn(folder))
    const file = join(folder, 'given.pem')
    copyFileSync(pathsIn(folder).tokenKeyPublic, file)
    const args = ['--data', join(folder, 'own'), '--mqtt-port', '0', '--ws-port', '0', '--token-key', file]
    const child = spawn(process.execPath, ['dist/broker.js', ...args], { env: plainEnv(), stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    try {
      const url = await eventually('the broker is ready', () => /"mqtt":"(mqtt:[^"]+)"/.exec(said)?.[1])
      const wish = { subject: 'eve', role: 'viewer', fleet: 'default', ttlSeconds: 600, now: Date.now() } as const
      const codeWith = async (token: string): Promise<number | undefined> => {
        const raw = await openRawMqtt(url, { token })
        raws.push(raw)
        const connack = await raw.next('connack')
        return connack.cmd === 'connack' ? connack.returnCode : undefined
      }
      const before = await issueToken(keys.newest(), { ...wish, jti: 'a' })
      const old = keys.newest().kid
      keys.rotate()
      const after = await issueToken(keys.newest(), { ...wish, jti: 'b' })
      expect([await codeWith(before), await codeWith(after)]).toEqual([0, 4])
      writeFileSync(file, 'nothing')
      await eventually('the file is refused', () => said.includes('the old ones stay'))
      expect(await codeWith(before)).toBe(0)
      copyFileSync(pathsIn(folder).tokenKeyPublic, file)
      await eventually('the new key is there', async () => (await codeWith(after)) === 0)
      const live = raws.at(-1)
      expect(await codeWith(before)).toBe(0)
      const leaving = raws.at(-1)
      keys.forget(old)
      copyFileSync(pathsIn(folder).tokenKeyPublic, file)
      await leaving?.closed()
      expect([live?.isClosed(), await codeWith(before)]).toEqual([false, 4])
    } finally {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
