import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { thumbprintOf } from '../../base/p256.ts'
import { seal, unseal } from '../../base/sealing.ts'
import { claimsIn } from '../../base/token-claims.ts'
import { type DeviceIdentity, openIdentity } from '../../device/identity.ts'
import { openSealed } from '../../device/joining.ts'
import { eventually } from '../harness/eventually.ts'
import { someCommandKeys } from '../harness/keys.ts'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-joining-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let count = 0
const newIdentity = (): DeviceIdentity => openIdentity(join(folder, `${++count}.json`))

const keys = someCommandKeys()
let desk: Desk
beforeEach(async () => {
  desk = await startDesk({ keys })
})

const joinToken = async (more: Record<string, unknown> = {}): Promise<string> =>
  String(outputOf(await desk.ask('token.create', { role: 'join', ...more }))['name'])
const requestOf = (identity: DeviceIdentity, device: string, more: Record<string, unknown> = {}) =>
  identity.signer.sign('skein-join', JSON.stringify({ fleet: 'default', device, ...identity.public, ...more }), { withKey: true })
const joinAs = (subject: string, identity: DeviceIdentity, device: string) =>
  desk.ask('device.join', { request: requestOf(identity, device) }, subject)
const detailOf = (outcome: Awaited<ReturnType<typeof joinAs>>): string | undefined =>
  outcome.ok ? 'ok' : outcome.error.details?.[0]?.code
const open = (sealed: unknown, identity: DeviceIdentity, device: string, trusted = keys.kids()) =>
  openSealed(String(sealed), { identity, fleet: 'default', device, trusted })

describe('openIdentity()', () => {
  test('makes keys once, for the eyes of their owner', () => {
    const file = join(folder, 'own.json')
    const first = openIdentity(file)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(openIdentity(file).public).toEqual(first.public)
  })
})

describe('seal()', () => {
  test('only the holder of the key reads it, and no byte of it can be changed', async () => {
    const [one, other] = [newIdentity(), newIdentity()]
    const { publicKeyOf } = await import('../../base/p256.ts')
    const key = publicKeyOf(one.public.seal)
    if (!key) throw new Error('no key')
    const sealed = await seal('a secret', key)
    expect(sealed).not.toContain(Buffer.from('a secret').toString('base64url'))
    expect(await unseal(sealed, one.sealKey)).toBe('a secret')
    expect(await unseal(sealed, other.sealKey)).toBeUndefined()
    for (let at = 0; at < sealed.length; at += 11) {
      const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'Q' : 'A') + sealed.slice(at + 1)
      expect([at, await unseal(changed, one.sealKey)]).toEqual([at, undefined])
    }
    for (const nothing of ['', 'x', 'a.b.c.d.e']) expect(await unseal(nothing, one.sealKey)).toBeUndefined()
  })
})

describe('device.join', () => {
  test('gives a token that only this device can open and only this controller can have signed', async () => {
    const [identity, other] = [newIdentity(), newIdentity()]
    const { sealed } = outputOf(await joinAs(await joinToken(), identity, 'pi-1'))
    const token = await open(sealed, identity, 'pi-1')
    expect(claimsIn(token ?? '')).toMatchObject({ sub: 'pi-1', role: 'device', fleet: 'default', ctl: keys.newest().kid })
    expect(await open(sealed, other, 'pi-1')).toBeUndefined()
    expect(await open(sealed, identity, 'pi-2')).toBeUndefined()
    expect(await open(sealed, identity, 'pi-1', someCommandKeys().kids())).toBeUndefined()
    expect(desk.store.devices.get('pi-1')?.sign_key).toBe(JSON.stringify(identity.public.sign))
  })

  test('the same key gets the same answer until its device has connected; another key gets none', async () => {
    const [identity, other] = [newIdentity(), newIdentity()]
    const subject = await joinToken()
    const first = outputOf(await joinAs(subject, identity, 'pi-1'))['sealed']
    expect(outputOf(await joinAs(subject, identity, 'pi-1'))['sealed']).toBe(first)
    expect(detailOf(await joinAs(subject, other, 'pi-2'))).toBe('token_used')
    await desk.hello('pi-1')
    expect(detailOf(await joinAs(subject, identity, 'pi-1'))).toBe('already_joined')
    expect(detailOf(await joinAs(subject, other, 'pi-1'))).toBe('token_used')
    const audited = desk.wire.sent.filter((one) => one.topic.endsWith('/event/audit')).map((one) => one.text)
    expect(audited.some((one) => one.includes('skein.audit.refused') && one.includes('device.join'))).toBe(true)
  })

  test('a join token from before a rotation holds: the answer is signed with the key that it names, until that is forgotten', async () => {
    const ring = someCommandKeys()
    const rotating = await startDesk({ keys: ring })
    const before = ring.kids()
    const made = outputOf(await rotating.ask('token.create', { role: 'join', uses: 2 }))
    const joining = (identity: DeviceIdentity, device: string) =>
      rotating.ask('device.join', { request: requestOf(identity, device, { trusts: before }) }, String(made['name']))
    outputOf(await rotating.ask('key.rotate', { use: 'commands' }))
    const identity = newIdentity()
    const { sealed } = outputOf(await joining(identity, 'pi-1'))
    const token = await open(sealed, identity, 'pi-1', before)
    expect(claimsIn(token ?? '')).toMatchObject({ sub: 'pi-1', ctl: ring.newest().kid })
    expect(before).not.toContain(ring.newest().kid)

    outputOf(await rotating.ask('key.forget', { key: before[0], force: true }))
    expect(detailOf(await joining(newIdentity(), 'pi-2'))).toBe('key_forgotten')
    expect(rotating.store.devices.get('pi-2')).toBeUndefined()
  })

  test('two that come at the same moment with a token for one: one joins', async () => {
    const subject = await joinToken()
    const both = [newIdentity(), newIdentity()].map((identity, i) =>
      desk.controller.ask({ subject, door: 'mqtt' }, 'device.join', { request: requestOf(identity, `pi-${i}`) }),
    )
    const outcomes = await desk.settle(Promise.all(both))
    expect(outcomes.map((one) => one.ok).sort()).toEqual([false, true])
  })

  test('a token lets in as many devices as it says', async () => {
    const subject = await joinToken({ uses: 3 })
    for (const name of ['a', 'b', 'c']) expect(detailOf(await joinAs(subject, newIdentity(), name))).toBe('ok')
    expect(detailOf(await joinAs(subject, newIdentity(), 'd'))).toBe('token_used')
    const listed = outputOf(await desk.ask('token.list', {}))['tokens'] as { name: string; uses?: number; used?: number }[]
    expect(listed.find((one) => one.name === subject)).toMatchObject({ uses: 3, used: 3 })
  })

  test('not after its time, not when it was revoked, not for who has no such token', async () => {
    const late = await joinToken({ ttl_seconds: 60 })
    await desk.advance(61_000)
    expect(codeOf(await joinAs(late, newIdentity(), 'pi-1'))).toBe('forbidden')
    const revoked = await joinToken()
    outputOf(await desk.ask('token.revoke', { token: revoked }))
    expect(codeOf(await joinAs(revoked, newIdentity(), 'pi-1'))).toBe('forbidden')
    for (const subject of ['admin', 'olga', 'victor', 'd1', 'nobody'])
      expect(codeOf(await joinAs(subject, newIdentity(), 'pi-1'))).toBe('forbidden')
    expect(desk.store.devices.get('pi-1')).toBeUndefined()
  })

  test('a name that another device or person has is refused, until that device is removed', async () => {
    const subject = await joinToken({ uses: 10 })
    const first = newIdentity()
    outputOf(await joinAs(subject, first, 'pi-1'))
    expect(detailOf(await joinAs(subject, newIdentity(), 'pi-1'))).toBe('name_taken')
    expect(detailOf(await joinAs(subject, newIdentity(), 'olga'))).toBe('name_taken')
    outputOf(await desk.ask('device.remove', { device: 'pi-1' }))
    expect(detailOf(await joinAs(subject, newIdentity(), 'pi-1'))).toBe('ok')
  })

  test('a name that was given to a person after its device was removed is refused, and the device stays away', async () => {
    const subject = await joinToken({ uses: 10 })
    outputOf(await joinAs(subject, newIdentity(), 'pi-1'))
    await desk.hello('pi-1')
    outputOf(await desk.ask('device.remove', { device: 'pi-1' }))
    outputOf(await desk.ask('token.create', { name: 'pi-1', role: 'viewer' }))
    expect(detailOf(await joinAs(subject, newIdentity(), 'pi-1'))).toBe('name_taken')
    await desk.hello('pi-1', { journal: 'another' }) // on a connection that its broker has not closed
    expect(codeOf(await desk.ask('device.get', { device: 'pi-1' }))).toBe('not_found')
    expect(codeOf(await desk.ask('device.list', {}, 'pi-1'))).toBe('ok')
    outputOf(await desk.ask('token.revoke', { token: 'pi-1' }))
    expect(detailOf(await joinAs(subject, newIdentity(), 'pi-1'))).toBe('ok')
  })

  test('the name of the controller is refused', async () => {
    expect(detailOf(await joinAs(await joinToken(), newIdentity(), 'controller'))).toBe('name_taken')
  })

  test('a request that is not signed with the key that it shows, or for another fleet, is refused', async () => {
    const subject = await joinToken({ uses: 10 })
    const [one, other] = [newIdentity(), newIdentity()]
    const ask = (request: unknown) => desk.ask('device.join', { request }, subject)
    const good = requestOf(one, 'pi-1')
    expect(detailOf(await ask({ ...good, signature: requestOf(other, 'pi-1').signature }))).toBe('invalid_signature')
    expect(detailOf(await ask({ ...good, payload: requestOf(one, 'pi-2').payload }))).toBe('invalid_signature')
    expect(detailOf(await ask(requestOf(one, 'pi-1', { sign: other.public.sign })))).toBe('invalid_signature')
    expect(detailOf(await ask(requestOf(one, 'pi-1', { seal: { ...one.public.seal, x: 'AAAA' } })))).toBe('invalid_signature')
    expect(detailOf(await ask(requestOf(one, 'pi-1', { fleet: 'other' })))).toBe('foreign')
    expect(detailOf(await ask(requestOf(one, 'Pi 1')))).toBe('invalid_signature')
    expect(codeOf(await ask({ payload: 'x' }))).toBe('invalid')
    expect(desk.store.devices.get('pi-1')).toBeUndefined()
  })
})

describe('device.renew, and the token in a welcome', () => {
  const day = 24 * 3600
  const joined = async () => {
    const identity = newIdentity()
    const { sealed } = outputOf(await joinAs(await joinToken(), identity, 'pi-1'))
    const { jti = '', iat = 0, exp = 0 } = claimsIn((await open(sealed, identity, 'pi-1')) ?? '')
    return { identity, inUse: { id: jti, issued_at: iat, expires_at: exp } }
  }
  const welcomes = () => desk.commands('pi-1', 'welcome').map((one) => one.body as { token?: string }) // our own command

  test('a welcome brings a new token when a third of its life is gone, and not before', async () => {
    const { identity, inUse } = await joined()
    await desk.hello('pi-1', { token: inUse })
    const aged = (days: number) => ({
      ...inUse,
      issued_at: inUse.issued_at - days * day,
      expires_at: inUse.expires_at - days * day,
    })
    await desk.hello('pi-1', { token: aged(133) })
    await desk.advance(2000)
    expect(welcomes().map((one) => one.token)).toEqual([undefined, undefined])
    await desk.hello('pi-1', { token: aged(134) })
    // Made while the device waits for nothing; then it is asked for another hello.
    await eventually('a wish for a hello', async () => {
      await desk.advance(10)
      return desk.commands('pi-1', 'ack').some((one) => (one.body as { hello?: boolean }).hello) // our own command
    })
    await desk.hello('pi-1', { token: aged(134) })
    const token = await open(welcomes().at(-1)?.token, identity, 'pi-1')
    expect(claimsIn(token ?? '').exp).toBeGreaterThan(aged(134).expires_at)
    // One that is on its way is not made again.
    await desk.hello('pi-1', { token: aged(134) })
    expect(welcomes().at(-1)?.token).toBe(welcomes().at(-2)?.token)
    const { jti = '', iat = 0, exp = 0 } = claimsIn(token ?? '')
    await desk.hello('pi-1', { token: { id: jti, issued_at: iat, expires_at: exp } })
    expect(welcomes().at(-1)?.token).toBeUndefined()
  })

  test('a device whose token has expired gets a new one for its signature, and nothing else', async () => {
    const { identity } = await joined()
    await desk.hello('pi-1')
    const row = desk.store.tokens.ofSubject('pi-1')
    if (row) desk.store.tokens.put({ ...row, expires_at: desk.clock.now() - 1 })
    const request = (who: DeviceIdentity, more = {}) => ({
      request: who.signer.sign('skein-renew', JSON.stringify({ fleet: 'default', device: 'pi-1', ...more })),
    })
    expect(codeOf(await desk.ask('device.refuse', { verb: 'run', reason: 'x' }, 'pi-1'))).toBe('forbidden')
    expect(codeOf(await desk.ask('device.renew', request(newIdentity()), 'pi-1'))).toBe('invalid')
    expect(codeOf(await desk.ask('device.renew', request(identity, { device: 'pi-2' }), 'pi-1'))).toBe('invalid')
    const { sealed } = outputOf(await desk.ask('device.renew', request(identity), 'pi-1'))
    expect(claimsIn((await open(sealed, identity, 'pi-1')) ?? '')).toMatchObject({ sub: 'pi-1', role: 'device' })
    expect(codeOf(await desk.ask('device.refuse', { verb: 'run', reason: 'x' }, 'pi-1'))).toBe('ok')
    outputOf(await desk.ask('device.remove', { device: 'pi-1', force: true }))
    expect(codeOf(await desk.ask('device.renew', request(identity), 'pi-1'))).toBe('forbidden')
  })

  test('who shows a key later does not take the place of the one that joined', async () => {
    const { identity } = await joined()
    await desk.hello('pi-1', { identity: newIdentity().public })
    expect(desk.store.devices.get('pi-1')?.sign_key).toBe(JSON.stringify(identity.public.sign))
    await desk.hello('d9', { identity: identity.public })
    expect(thumbprintOf(JSON.parse(desk.store.devices.get('d9')?.sign_key ?? '{}'))).toBe(identity.signer.kid)
  })
})
