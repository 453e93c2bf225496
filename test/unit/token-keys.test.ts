import type { KeyObject } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeProtectedHeader } from 'jose'
import pino from 'pino'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { readJws } from '../../base/jws.ts'
import { silentLog } from '../../base/log.ts'
import { pathsIn } from '../../base/paths.ts'
import { publicKeysIn } from '../../base/public-keys.ts'
import { claimsIn } from '../../base/token-claims.ts'
import { openTokenTrust } from '../../broker/token-trust.ts'
import { issueLocalTokens, registerLocalTokens } from '../../controller/identity/local-tokens.ts'
import { openTokenKeys, type TokenKeyFiles } from '../../controller/identity/token-keys.ts'
import { issueToken, readToken } from '../../controller/identity/tokens.ts'
import { openStore } from '../../controller/store/store.ts'
import { type DeviceIdentity, openIdentity } from '../../device/identity.ts'
import { openSealed } from '../../device/joining.ts'
import { topicOf } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { someCommandKeys, someTokenKeys } from '../harness/keys.ts'
import { createTime } from '../simulation/sim-clock.ts'
import { codeOf, createWire, type Desk, outputOf, startDesk } from './desk.ts'

const root = mkdtempSync(join(tmpdir(), 'skein-token-keys-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let count = 0
const newFolder = (): string => join(root, String(++count))
const fleet = 'default'
const kidOf = (token: string): string | undefined => decodeProtectedHeader(token).kid

describe('openTokenKeys()', () => {
  const now = Date.parse('2030-01-01T00:00:00Z')
  const wish = { subject: 'eve', role: 'viewer', fleet, ttlSeconds: 60, now, jti: 't-1' } as const

  test('after a rotation tokens of both keys are believed, until the old one is forgotten', async () => {
    const paths = pathsIn(newFolder())
    const keys = openTokenKeys(paths)
    const [old] = keys.kids()
    const before = await issueToken(keys.newest(), wish)
    const fresh = keys.rotate()
    expect(keys.kids()).toEqual([fresh, old])
    const after = await issueToken(keys.newest(), wish)
    expect([kidOf(before), kidOf(after)]).toEqual([old, fresh])
    const read = async (from: TokenKeyFiles) =>
      Promise.all([before, after].map(async (jwt) => (await readToken(from, jwt, { fleet, now })).ok))
    expect(await read(keys)).toEqual([true, true])
    expect(await read(openTokenKeys(paths))).toEqual([true, true])
    expect([...publicKeysIn(readFileSync(paths.tokenKeyPublic, 'utf8')).keys()]).toEqual([fresh, old])

    expect(keys.forget(fresh)).toBe('newest')
    expect(keys.forget(old ?? '')).toBe('forgotten')
    expect(keys.forget(old ?? '')).toBe('unknown')
    expect(await read(keys)).toEqual([false, true])
    const again = openTokenKeys(paths)
    expect(again.kids()).toEqual([fresh])
    expect([...publicKeysIn(readFileSync(paths.tokenKeyPublic, 'utf8')).keys()]).toEqual([fresh])
    expect(again.rotate()).not.toBe(fresh)
    for (const name of readdirSync(paths.keys).filter((one) => !one.includes('.pub.')))
      expect([name, statSync(join(paths.keys, name)).mode & 0o777]).toEqual([name, 0o600])
  })
})

describe('publicKeysIn()', () => {
  test('says so when there is none', () => {
    expect(() => publicKeysIn('')).toThrow('no public key')
    expect(() => publicKeysIn('-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----')).toThrow()
  })
})

describe('issueLocalTokens() and registerLocalTokens()', () => {
  test('go over to the newest key, the controller only when the oldest has gone', async () => {
    const paths = pathsIn(newFolder())
    const keys = openTokenKeys(paths)
    const local = { paths, keys, fleet, ctl: 'x', devices: ['d1'], controller: true, now: Date.now() }
    const kids = async (more = {}) => {
      await issueLocalTokens({ ...local, ...more })
      return [paths.adminToken, paths.device('d1').token, paths.controllerToken].map((file) => kidOf(readFileSync(file, 'utf8')))
    }
    const [old = ''] = keys.kids()
    expect(await kids()).toEqual([old, old, old])
    const fresh = keys.rotate()
    expect(await kids({ renew: 'late' })).toEqual([old, old, old])
    expect(await kids()).toEqual([fresh, fresh, old])
    const store = openStore(':memory:', ':memory:')
    const row = { jti: 'a', subject: 'a', role: 'viewer', hash: '', created_at: 0, expires_at: Date.now() + 1000 }
    store.tokens.put({ ...row, revoked_at: null, last_used_at: null, key: '' })
    await registerLocalTokens(store, local)
    expect(Object.fromEntries(store.tokens.list(10, 0).map((one) => [one.subject, one.key]))).toEqual({
      admin: fresh,
      dashboard: fresh,
      d1: fresh,
      a: old, // listed when there was only one
    })
    store.close()
    keys.forget(old)
    expect(await kids({ renew: 'late' })).toEqual([fresh, fresh, fresh])
  })
})

describe('openTokenTrust()', () => {
  const listBy = (keys: TokenKeyFiles, at: number, more: object = {}): Buffer =>
    Buffer.from(
      JSON.stringify(
        keys
          .oldest()
          .sign(
            'skein-revoked',
            JSON.stringify({ fleet, at: new Date(at).toISOString(), revoked: [], keys: keys.jwks(), ...more }),
          ),
      ),
    )
  const open = (publicKeysPem: string, file?: string) => {
    let told = 0
    const trust = openTokenTrust({ fleet, publicKeysPem, file, log: silentLog, onRevoked: () => told++ })
    return { ...trust, told: () => told, holds: (kids: readonly string[]) => kids.map((kid) => trust.keyFor(kid) !== undefined) }
  }

  test('an old key introduces a new one, which stays when the old one goes; a stranger introduces none', () => {
    const keys = someTokenKeys()
    const [old = ''] = keys.kids()
    const trust = open(keys.publicKeysPem())
    const fresh = keys.rotate()
    const stranger = someTokenKeys()
    trust.take(listBy(stranger, 5, { keys: [...stranger.jwks(), ...keys.jwks()] }))
    expect([trust.told(), ...trust.holds([old, fresh])]).toEqual([0, true, false])
    trust.take(listBy(keys, 1))
    expect([trust.told(), ...trust.holds([old, fresh])]).toEqual([1, true, true])
    expect(trust.isRevoked({ jti: 'a', kid: old })).toBe(false)
    keys.forget(old)
    trust.take(listBy(keys, 2))
    expect(trust.holds([old, fresh])).toEqual([false, true])
    expect([trust.isRevoked({ jti: 'a', kid: old }), trust.isRevoked({ jti: 'a', kid: fresh })]).toEqual([true, false])
  })

  test('a restart forgets nothing of it, until the broker is given other keys', () => {
    const file = join(newFolder(), 'tokens.json')
    const keys = someTokenKeys()
    const [old = ''] = keys.kids()
    const given = keys.publicKeysPem()
    const fresh = keys.rotate()
    open(given, file).take(listBy(keys, 1))
    expect(open(given, file).holds([old, fresh])).toEqual([true, true])
    keys.forget(old)
    open(given, file).take(listBy(keys, 2, { revoked: ['r'] }))
    const again = open(given, file)
    expect(again.holds([old, fresh])).toEqual([false, true])
    expect(again.isRevoked({ jti: 'r', kid: fresh })).toBe(true)
    const other = someTokenKeys()
    expect(open(other.publicKeysPem(), file).holds([fresh, ...other.kids()])).toEqual([false, true])
  })

  test('a list that is older than the last one is ignored with a warning', () => {
    const warned: string[] = []
    const keys = someTokenKeys()
    const log = pino({ level: 'warn' }, { write: (line) => void warned.push(line) })
    const trust = openTokenTrust({ fleet, publicKeysPem: keys.publicKeysPem(), file: undefined, log, onRevoked: () => {} })
    const last = listBy(keys, 2, { revoked: ['r'] })
    trust.take(last)
    trust.take(listBy(keys, 1, { revoked: ['s'] }))
    expect(['r', 's'].map((jti) => trust.isRevoked({ jti, kid: keys.newest().kid }))).toEqual([true, false])
    expect(trust.lastTaken()).toBe(last.toString())
    expect(warned).toEqual([expect.stringContaining('the last one is newer')])
  })

  test('keys that are given while it runs take the place of what was told', () => {
    const keys = someTokenKeys()
    const [old = ''] = keys.kids()
    const trust = open(keys.publicKeysPem())
    const fresh = keys.rotate()
    trust.setKeys(keys.publicKeysPem())
    expect([trust.told(), ...trust.holds([old, fresh])]).toEqual([1, true, true])
    expect(() => trust.setKeys('nothing')).toThrow('no public key')
    expect(trust.holds([old, fresh])).toEqual([true, true])
  })
})

describe('the list of revoked tokens', () => {
  const topic = topicOf(fleet, 'controllerRevoked', {})
  const [keys, tokenKeys] = [someCommandKeys(), someTokenKeys()]

  test('is newer than the last one, also after the clock has gone back, a restart, and a restore', async () => {
    const trust = openTokenTrust({
      ...{ fleet, publicKeysPem: tokenKeys.publicKeysPem(), file: undefined, log: silentLog },
      onRevoked: () => undefined,
    })
    let desk = await startDesk({ keys, tokenKeys })
    const { wire, time } = desk
    let taken = 0
    /** Whether a token that is revoked now is refused by the broker. */
    const isRevoked = async (name: string): Promise<boolean> => {
      const { id } = outputOf(await desk.ask('token.create', { name, role: 'viewer' }))
      outputOf(await desk.ask('token.revoke', { token: name }))
      for (const one of wire.sent.slice(taken)) if (one.topic === topic) trust.take(Buffer.from(one.text))
      taken = wire.sent.length
      return trust.isRevoked({ jti: String(id), kid: tokenKeys.newest().kid })
    }
    desk.life.wallOffsetMs = 24 * 3600 * 1000
    expect(await isRevoked('ahead')).toBe(true)
    desk.life.wallOffsetMs = 0
    expect(await isRevoked('back')).toBe(true)
    await desk.close()
    desk = await startDesk({ keys, tokenKeys, wire, time, store: desk.store })
    expect(await isRevoked('restarted')).toBe(true)
    await desk.close()
    desk = await startDesk({ keys, tokenKeys, wire, time }) // its store knows of no list
    expect(await isRevoked('restored')).toBe(true)
  })

  test('says nothing of its own time if a stranger has signed it', async () => {
    const wire = createWire(createTime())
    const list = { fleet, at: '2999-01-01T00:00:00.000Z', revoked: [] }
    const signed = someTokenKeys().newest().sign('skein-revoked', JSON.stringify(list))
    wire.retained.set(topic, Buffer.from(JSON.stringify(signed)))
    const desk = await startDesk({ keys, tokenKeys, wire })
    expect(desk.store.meta.get('revoked_told_at')).toBe(String(desk.clock.now()))
  })
})

describe('key.rotate and key.forget of tokens', () => {
  const commandKeys = someCommandKeys()
  let tokenKeys: TokenKeyFiles
  let desk: Desk
  beforeEach(async () => {
    tokenKeys = someTokenKeys()
    desk = await startDesk({ keys: commandKeys, tokenKeys })
  })
  /** In place of this machine's own tokens: the admin has one of the newest key. */
  const asAdmin = (): void => {
    const row = { jti: 'admin-2', subject: 'admin', role: 'admin', hash: '', created_at: 0, expires_at: Date.parse('2999-01-02') }
    desk.store.tokens.put({ ...row, revoked_at: null, last_used_at: null, key: tokenKeys.newest().kid })
  }
  const known = new Map<string, KeyObject | undefined>() // forgotten ones too
  /** The keys in the last list that brokers were told, and who signed it. */
  const told = () => {
    const { text = '' } = desk.wire.sent.findLast((one) => one.topic === topicOf(fleet, 'controllerRevoked', {})) ?? {}
    for (const kid of tokenKeys.kids()) known.set(kid, tokenKeys.publicKey(kid))
    const read = readJws(JSON.parse(text), 'skein-revoked', (kid) => known.get(kid))
    if (!read.ok) throw new Error(`a list that nobody believes: ${read.reason}`)
    const { keys, revoked } = read.payload as { keys: unknown[]; revoked: string[] } // our own list
    return { by: read.kid, keys: keys.length, revoked }
  }
  const joined = async (
    name: string,
    identity = openIdentity(`${newFolder()}.json`),
  ): Promise<{ identity: DeviceIdentity; token: string }> => {
    const { name: subject } = outputOf(await desk.ask('token.create', { role: 'join' }))
    const wish = JSON.stringify({ fleet, device: name, ...identity.public })
    const request = identity.signer.sign('skein-join', wish, { withKey: true })
    const { sealed } = outputOf(await desk.ask('device.join', { request }, String(subject)))
    outputOf(await desk.ask('token.revoke', { token: String(subject) }))
    return { identity, token: await opened(sealed, identity, name) }
  }
  const opened = async (sealed: unknown, identity: DeviceIdentity, device: string): Promise<string> =>
    (await openSealed(String(sealed), { identity, fleet, device, trusted: commandKeys.kids() })) ?? ''
  const hello = (name: string, token: string): Promise<void> => {
    const { jti = '', iat = 0, exp = 0 } = claimsIn(token)
    return desk.hello(name, { token: { id: jti, issued_at: iat, expires_at: exp } })
  }
  const welcomes = (name: string) => desk.commands(name, 'welcome').map((one) => one.body as { token?: string }) // our own command
  const hellosAsked = (name: string) => desk.commands(name, 'ack').filter((one) => (one.body as { hello?: boolean }).hello).length // our own command
  /** A device that has joined and said hello with a token whose key is not the newest any more: a new one waits for it. */
  const awaited = async (name: string) => {
    const known = await joined(name)
    await hello(name, known.token)
    outputOf(await desk.ask('key.rotate', { use: 'tokens' }))
    const before = hellosAsked(name)
    await hello(name, known.token)
    await eventually('a wish for another hello', async () => {
      await desk.advance(10)
      return hellosAsked(name) > before
    })
    const waiting = desk.store.tokens.live(name).find((one) => one.key === tokenKeys.newest().kid)?.jti ?? ''
    return { ...known, waiting }
  }
  const listed = async () => outputOf(await desk.ask('key.list', {}))['keys'] as { id: string; held_by?: string[] }[]

  test('rotate: brokers hear of it by the old key, new tokens are of the new one, a device gets one in its next welcome', async () => {
    const [old = ''] = tokenKeys.kids()
    const { identity, token } = await joined('pi-1')
    await hello('pi-1', token)
    outputOf(await desk.ask('key.rotate', { use: 'tokens' }))
    const fresh = tokenKeys.newest().kid
    expect(told()).toMatchObject({ by: old, keys: 2 })
    const made = outputOf(await desk.ask('token.create', { name: 'eve', role: 'viewer' }))
    expect([kidOf(String(made['token'])), made['key']]).toEqual([fresh, fresh])
    expect((await listed()).find((one) => one.id === old)?.held_by).toEqual(['admin', 'd1', 'olga', 'pi-1', 'victor'])

    expect(hellosAsked('pi-1')).toBe(1)
    await hello('pi-1', token)
    await eventually('a wish for another hello', async () => {
      await desk.advance(10)
      return hellosAsked('pi-1') > 1
    })
    await hello('pi-1', token)
    const next = await opened(welcomes('pi-1').at(-1)?.token, identity, 'pi-1')
    expect(kidOf(next)).toBe(fresh)
    // It is asked whether it has taken it; only then it needs the old key no more.
    expect((await listed()).find((one) => one.id === old)?.held_by).toContain('pi-1')
    const before = hellosAsked('pi-1')
    await desk.advance(2100)
    expect(hellosAsked('pi-1')).toBe(before + 1)
    await hello('pi-1', next)
    expect((await listed()).find((one) => one.id === old)?.held_by).toEqual(['admin', 'd1', 'olga', 'victor'])
  })

  test('a token that waits for a device that is removed, or joins anew, is given to nobody', async () => {
    for (const isRemoved of [true, false]) {
      const name = isRemoved ? 'pi-1' : 'pi-2'
      const { identity, waiting } = await awaited(name)
      if (isRemoved) outputOf(await desk.ask('device.remove', { device: name }))
      const { token } = await joined(name, identity)
      expect(claimsIn(token).jti).not.toBe(waiting)
      const [welcomed, asked] = [welcomes(name).length, hellosAsked(name)]
      await hello(name, token)
      await desk.advance(10_000)
      await hello(name, token)
      await desk.advance(10_000)
      const tokens = welcomes(name).slice(welcomed)
      expect([name, tokens.map((one) => one.token), hellosAsked(name)]).toEqual([name, [undefined, undefined], asked])
    }
  })

  test('a token that waits and is revoked makes room for another', async () => {
    const { identity, token, waiting } = await awaited('pi-1')
    outputOf(await desk.ask('token.revoke', { token: waiting }))
    const before = hellosAsked('pi-1')
    await hello('pi-1', token)
    expect(welcomes('pi-1').at(-1)?.token).toBeUndefined()
    await eventually('a wish for another hello', async () => {
      await desk.advance(10)
      return hellosAsked('pi-1') > before
    })
    await hello('pi-1', token)
    const { jti = '' } = claimsIn(await opened(welcomes('pi-1').at(-1)?.token, identity, 'pi-1'))
    expect([jti === waiting, desk.store.tokens.get(jti)?.revoked_at]).toEqual([false, null])
  })

  test('a device whose tokens were revoked is given no other at its hello', async () => {
    const { token } = await awaited('pi-1')
    outputOf(await desk.ask('token.revoke', { token: 'pi-1' }))
    for (let i = 0; i < 5; i++) {
      await hello('pi-1', token)
      await desk.settle(new Promise((resolve) => setTimeout(resolve, 10))) // signing takes real time
      await desk.advance(2100)
    }
    expect([welcomes('pi-1').at(-1)?.token, desk.store.tokens.live('pi-1')]).toEqual([undefined, []])
  })

  test('a device that is removed while its new token is made is left with none', async () => {
    const { identity } = await joined('pi-1')
    await desk.hello('pi-1')
    const request = identity.signer.sign('skein-renew', JSON.stringify({ fleet, device: 'pi-1' }))
    const renewing = desk.controller.ask({ subject: 'pi-1', door: 'mqtt' }, 'device.renew', { request })
    const removing = desk.controller.ask({ subject: 'admin', door: 'api' }, 'device.remove', { device: 'pi-1' })
    await desk.settle(Promise.all([renewing, removing]))
    expect(desk.store.tokens.live('pi-1')).toEqual([])
  })

  test('a device that cannot keep its new token is asked for it a few times, and has it in each welcome', async () => {
    const { token, waiting } = await awaited('pi-1')
    const before = hellosAsked('pi-1')
    for (let i = 0; i < 8; i++) {
      await hello('pi-1', token)
      await desk.advance(2100)
    }
    expect(hellosAsked('pi-1') - before).toBe(3)
    expect(
      new Set(
        welcomes('pi-1')
          .slice(-8)
          .map((one) => one.token),
      ).size,
    ).toBe(1)
    await desk.hello('pi-1', { token: { id: waiting, issued_at: desk.clock.now() / 1000, expires_at: 9e9 } })
    expect(welcomes('pi-1').at(-1)?.token).toBeUndefined()
  })

  test('forget: refused while somebody holds a token of it; with force those are revoked, and brokers hear of it after the answer', async () => {
    const [old = ''] = tokenKeys.kids()
    outputOf(await desk.ask('token.create', { name: 'gone', role: 'viewer' }))
    outputOf(await desk.ask('token.revoke', { token: 'gone' }))
    expect(told().revoked).toHaveLength(1)
    expect(codeOf(await desk.ask('key.forget', { key: old, force: true }))).toBe('conflict')
    outputOf(await desk.ask('key.rotate', { use: 'tokens' }))
    outputOf(await desk.ask('token.create', { name: 'eve', role: 'viewer' }))
    const refusal = await desk.ask('key.forget', { key: old })
    expect(refusal).toMatchObject({ ok: false, error: { code: 'conflict', message: expect.stringContaining('admin, d1, olga') } })
    expect(tokenKeys.kids()).toHaveLength(2)

    const output = outputOf(await desk.ask('key.forget', { key: old, force: true }))
    expect(output).toMatchObject({ cut_off: ['admin', 'd1', 'olga', 'victor'], cut_off_count: 4 })
    expect(told()).toMatchObject({ keys: 2 })
    await desk.advance(300)
    expect(told()).toEqual({ by: tokenKeys.newest().kid, keys: 1, revoked: [] })
    expect(codeOf(await desk.ask('system.status', {}, 'olga'))).toBe('forbidden')
    expect(codeOf(await desk.ask('system.status', {}, 'eve'))).toBe('ok')
  })

  test('each happens once, also if its commit is undone and done again', async () => {
    const [old = ''] = tokenKeys.kids()
    desk.upset(0)
    outputOf(await desk.ask('key.rotate', { use: 'tokens' }))
    expect([tokenKeys.kids().length, told().keys]).toEqual([2, 2])
    asAdmin()
    desk.upset(0)
    const output = outputOf(await desk.ask('key.forget', { key: old, force: true }))
    expect([output['cut_off'], tokenKeys.kids()]).toEqual([['admin', 'd1', 'olga', 'victor'], [tokenKeys.newest().kid]])
    expect(codeOf(await desk.ask('system.status', {}, 'olga'))).toBe('forbidden')
  })

  test('forget: what did not come to an end does when it is asked for again', async () => {
    const [old = ''] = tokenKeys.kids()
    outputOf(await desk.ask('key.rotate', { use: 'tokens' }))
    const { forget } = tokenKeys
    tokenKeys.forget = () => {
      throw new Error('no')
    }
    await expect(desk.ask('key.forget', { key: old, force: true })).rejects.toThrow('no')
    expect(codeOf(await desk.ask('system.status', {}, 'olga'))).toBe('forbidden')
    tokenKeys.forget = forget
    asAdmin()
    outputOf(await desk.ask('key.forget', { key: old, force: true }))
    expect(tokenKeys.kids()).toEqual([tokenKeys.newest().kid])
  })

  test('rotate: if it could not be stored, brokers are told of the key when it can be', async () => {
    const { id } = outputOf(await desk.ask('token.create', { name: 'eve', role: 'viewer' }))
    outputOf(await desk.ask('token.revoke', { token: String(id) }))
    desk.store.db.pragma('query_only = on')
    await expect(desk.ask('key.rotate', { use: 'tokens' })).rejects.toThrow()
    expect([tokenKeys.kids().length, told().keys]).toEqual([2, 1])
    desk.store.db.pragma('query_only = off')
    await desk.advance(2000)
    expect(told().keys).toBe(2)
  })

  test('only admins may, and other uses than two there are not', async () => {
    expect(codeOf(await desk.ask('key.rotate', { use: 'tokens' }, 'olga'))).toBe('forbidden')
    expect(codeOf(await desk.ask('key.rotate', { use: 'doors' }))).toBe('invalid')
    expect(codeOf(await desk.ask('key.forget', { key: 'none' }))).toBe('not_found')
  })
})
