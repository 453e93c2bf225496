import { beforeEach, describe, expect, test } from 'vitest'
import { someCommandKeys } from '../harness/keys.ts'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'

let desk: Desk
const keys = someCommandKeys()
beforeEach(async () => {
  desk = await startDesk({ keys })
})
const audits = () =>
  desk.wire.sent.filter((one) => one.topic.endsWith('/event/audit')).flatMap((one) => JSON.parse(one.text) as { type: string }[])

describe('tokens', () => {
  test('one is made for a name that nobody has; it is shown once, and the list knows its hash only', async () => {
    const made = outputOf(await desk.ask('token.create', { name: 'node-red', role: 'operator', ttl_seconds: 3600 }))
    expect(made).toMatchObject({ name: 'node-red', role: 'operator', state: 'valid' })
    const token = String(made['token'])
    expect(token.split('.').length).toBe(3)
    expect(JSON.stringify(outputOf(await desk.ask('token.list', {})))).not.toContain(token)
    expect(JSON.stringify(desk.store.tokens.list(100, 0))).not.toContain(token)
    expect(desk.wire.sent.some((one) => one.text.includes(token))).toBe(false)
    for (const name of ['node-red', 'admin', 'controller'])
      expect([name, codeOf(await desk.ask('token.create', { name, role: 'viewer' }))]).toEqual([name, 'conflict'])
    await desk.hello('d7')
    expect(codeOf(await desk.ask('token.create', { name: 'd7', role: 'viewer' }))).toBe('conflict')
  })

  test('what does not fit is refused by its field', async () => {
    const fieldOf = async (input: unknown): Promise<string | undefined> => {
      const outcome = await desk.ask('token.create', input)
      return outcome.ok ? 'ok' : outcome.error.details?.[0]?.field
    }
    expect(await fieldOf({ role: 'viewer' })).toBe('name')
    expect(await fieldOf({ name: 'x', role: 'viewer', uses: 2 })).toBe('uses')
    expect(await fieldOf({ name: 'x', role: 'root' })).toBe('role')
    expect(await fieldOf({ name: 'x', role: 'controller' })).toBe('role')
    expect(await fieldOf({ name: 'X y', role: 'viewer' })).toBe('name')
    expect(await fieldOf({ name: 'x', role: 'viewer', ttl_seconds: 0 })).toBe('ttl_seconds')
    expect(await fieldOf({ name: 'x', role: 'viewer', seal_to: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } })).toBe('seal_to')
  })

  test('a revoked one is refused at once, by its id or its name, and told to brokers in a signed list', async () => {
    const made = outputOf(await desk.ask('token.create', { name: 'script', role: 'operator' }))
    expect(codeOf(await desk.ask('task.list', {}, 'script'))).toBe('ok')
    const revoked = outputOf(await desk.ask('token.revoke', { token: 'script' }))['revoked'] as { id: string; state: string }[]
    expect(revoked).toMatchObject([{ id: made['id'], state: 'revoked' }])
    expect(codeOf(await desk.ask('task.list', {}, 'script'))).toBe('forbidden')
    const list = desk.wire.retained.get('skein/v1/default/controller/revoked')
    const { payload } = JSON.parse(Buffer.from(list ?? '').toString())
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ fleet: 'default', revoked: [made['id']] })
    expect(codeOf(await desk.ask('token.revoke', { token: 'script' }))).toBe('not_found')
    expect(codeOf(await desk.ask('token.create', { name: 'script', role: 'viewer' }))).toBe('ok')
    expect(audits().map((one) => one.type)).toEqual(
      expect.arrayContaining(['skein.audit.token_created', 'skein.audit.token_revoked']),
    )
  })

  test('the last one of a device that was revoked sets the device offline: its will is not carried out', async () => {
    await desk.hello('d1')
    const row = { role: 'device', hash: '', expires_at: desk.time.now() + 1e9, revoked_at: null, last_used_at: null, key: '' }
    desk.store.tokens.put({ ...row, jti: 'another', subject: 'd1', created_at: desk.time.now() })
    const stateOf = () => JSON.parse(Buffer.from(desk.wire.retained.get('skein/v1/default/device/d1/state') ?? '{}').toString())
    expect(codeOf(await desk.ask('token.revoke', { token: 'another' }))).toBe('ok')
    expect(outputOf(await desk.ask('device.get', { device: 'd1' }))['state']).toBe('online')
    expect(codeOf(await desk.ask('token.revoke', { token: 'd1' }))).toBe('ok')
    expect(outputOf(await desk.ask('device.get', { device: 'd1' }))['state']).toBe('offline')
    expect(stateOf()).toMatchObject({ state: 'offline', reason: 'its token was revoked' })
  })

  test('that a device was set offline for it is told, also if the commit is undone and done again', async () => {
    await desk.hello('d1')
    desk.upset(0)
    expect(codeOf(await desk.ask('token.revoke', { token: 'd1' }))).toBe('ok')
    expect(desk.wire.sent.filter((one) => one.text.includes('skein.device.offline'))).toHaveLength(1)
  })

  test('the list tells when a token was last used, also after a restart', async () => {
    outputOf(await desk.ask('token.create', { name: 'script', role: 'viewer' }))
    const lastUse = async () => {
      const tokens = outputOf(await desk.ask('token.list', {}))['tokens'] as { name: string; last_used_at: string | null }[]
      return tokens.find((one) => one.name === 'script')?.last_used_at
    }
    expect(await lastUse()).toBeNull()
    await desk.ask('task.list', {}, 'script')
    const at = new Date(desk.clock.now()).toISOString()
    expect(await lastUse()).toBe(at)
    await desk.advance(61_000)
    expect(desk.store.tokens.list(100, 0).find((one) => one.subject === 'script')?.last_used_at).toBe(Date.parse(at))
  })

  test('one that has expired is refused', async () => {
    outputOf(await desk.ask('token.create', { name: 'short', role: 'viewer', ttl_seconds: 10 }))
    await desk.advance(11_000)
    expect(codeOf(await desk.ask('task.list', {}, 'short'))).toBe('forbidden')
  })

  test('nobody but an admin has to do with tokens and keys', async () => {
    for (const subject of ['olga', 'victor', 'd1'])
      for (const operation of [
        'token.create',
        'token.list',
        'token.revoke',
        'key.list',
        'key.rotate',
        'key.forget',
        'device.remove',
      ])
        expect([subject, operation, codeOf(await desk.ask(operation, {}, subject))]).toEqual([subject, operation, 'forbidden'])
  })
})

describe('token.self', () => {
  test('tells each asker its own, and nothing of others', async () => {
    for (const [subject, role] of [
      ['admin', 'admin'],
      ['olga', 'operator'],
      ['victor', 'viewer'],
    ] as const)
      expect(outputOf(await desk.ask('token.self', {}, subject))).toEqual({
        subject,
        role,
        fleet: 'default',
        expires_at: '2999-01-01T00:00:00.000Z',
        version: expect.stringMatching(/^\d+\./),
      })
    for (const subject of ['d1', 'nobody', '__proto__', ''])
      expect([subject, codeOf(await desk.ask('token.self', {}, subject))]).toEqual([subject, 'forbidden'])
    expect(codeOf(await desk.ask('token.self', { subject: 'admin' }, 'victor'))).toBe('invalid')
  })

  test('of several tokens of one subject it is the one that holds longest; a revoked one is none', async () => {
    const made = outputOf(await desk.ask('token.create', { name: 'eve', role: 'viewer', ttl_seconds: 60 }))
    expect(outputOf(await desk.ask('token.self', {}, 'eve'))).toMatchObject({ role: 'viewer', expires_at: made['expires_at'] })
    await desk.advance(61_000)
    expect(codeOf(await desk.ask('token.self', {}, 'eve'))).toBe('forbidden')
    const next = outputOf(await desk.ask('token.create', { name: 'eve', role: 'operator', ttl_seconds: 600 }))
    expect(outputOf(await desk.ask('token.self', {}, 'eve'))).toMatchObject({ role: 'operator', expires_at: next['expires_at'] })
    await desk.ask('token.revoke', { token: 'eve' })
    expect(codeOf(await desk.ask('token.self', {}, 'eve'))).toBe('forbidden')
  })
})

describe('devices', () => {
  test('a drained one gets nothing new, keeps what it runs, and goes on when it is undrained', async () => {
    await desk.hello('d1')
    const running = await desk.submit({ target: { device: 'd1' } })
    expect(outputOf(await desk.ask('device.drain', { device: 'd1' }))).toMatchObject({
      drained: true,
      running: 1,
      labels: { drained: 'true' },
    })
    const waiting = await desk.submit({ target: { device: 'd1' } })
    await desk.report('d1', `${running}-1`, 'succeeded', { exit_code: 0 })
    expect([desk.task(running).state, desk.task(waiting).state]).toEqual(['succeeded', 'queued'])
    expect(codeOf(await desk.ask('task.submit', { payload: { command: 'x' }, target: { fanout: 'all' } }))).toBe('no_match')
    outputOf(await desk.ask('device.undrain', { device: 'd1' }))
    expect(desk.task(waiting).state).toBe('active')
    expect(codeOf(await desk.ask('device.drain', { device: 'nobody' }))).toBe('not_found')
  })

  test('labels of people win over those of the device, outlive its hellos, and bring work to it', async () => {
    await desk.hello('d1', { labels: { os: 'linux', site: 'nowhere' } })
    const id = await desk.submit({ target: { selector: 'site=berlin' } })
    expect(desk.task(id).state).toBe('queued')
    outputOf(await desk.ask('device.label', { device: 'd1', set: { site: 'berlin' } }))
    expect(desk.task(id).state).toBe('active')
    await desk.hello('d1', { labels: { os: 'linux', site: 'nowhere' } })
    expect(outputOf(await desk.ask('device.get', { device: 'd1' }))['labels']).toMatchObject({ os: 'linux', site: 'berlin' })
    expect(outputOf(await desk.ask('device.label', { device: 'd1', remove: ['site'] }))['labels']).toMatchObject({
      site: 'nowhere',
    })
    for (const set of [{ drained: 'true' }, { 'a b': 'c' }, { a: 'b c' }])
      expect(codeOf(await desk.ask('device.label', { device: 'd1', set }))).toBe('invalid')
  })

  test('one with work is not removed without force; then its runs are lost, what waits for it ends, and nothing of it is left', async () => {
    await desk.hello('d1')
    await desk.say('skein/v1/default/device/d1/state', { state: 'online', session: 1, at: '2026-01-01T00:00:00.000Z' })
    const running = await desk.submit({ target: { device: 'd1' }, options: { retries: 3 } })
    outputOf(await desk.ask('device.drain', { device: 'd1' }))
    const waiting = await desk.submit({ target: { device: 'd1' } })
    expect(codeOf(await desk.ask('device.remove', { device: 'd1' }))).toBe('conflict')
    expect(outputOf(await desk.ask('device.remove', { device: 'd1', force: true }))).toEqual({
      device: 'd1',
      removed: true,
      lost: [`${running}-1`],
    })
    expect([desk.task(running), desk.task(waiting)]).toMatchObject([
      { state: 'rejected', reason: 'device_removed' },
      { state: 'rejected', reason: 'device_removed' },
    ])
    expect(desk.run(`${running}-1`)).toMatchObject({ state: 'lost', reason: 'device_removed' })
    expect(codeOf(await desk.ask('device.get', { device: 'd1' }))).toBe('not_found')
    const state = desk.wire.sent.filter((one) => one.topic === 'skein/v1/default/device/d1/state').at(-1)
    expect(state?.text).toBe('')
    // What it still had on its way does not bring it back; a token made since does.
    await desk.hello('d1', { session: 2 })
    expect(codeOf(await desk.ask('device.get', { device: 'd1' }))).toBe('not_found')
    outputOf(await desk.ask('token.create', { name: 'd1', role: 'device' }))
    await desk.hello('d1', { session: 2 })
    expect(codeOf(await desk.ask('device.get', { device: 'd1' }))).toBe('ok')
  })

  test('a command that a device did not obey is audited', async () => {
    outputOf(await desk.ask('device.refuse', { verb: 'run', reason: 'bad_signature', count: 7 }, 'd1'))
    expect(audits().at(-1)).toMatchObject({
      type: 'skein.audit.command_refused',
      data: { subject: 'd1', reason: 'bad_signature', count: 7 },
    })
  })
})

describe('keys', () => {
  const kidOf = (text: string): string => JSON.parse(Buffer.from(JSON.parse(text).protected, 'base64url').toString()).kid
  const lastTo = (device: string, verb: string): string =>
    desk.wire.sent.filter((one) => one.topic.endsWith(`device/${device}/command/${verb}`)).at(-1)?.text ?? ''

  test('after a rotation a device hears of the new key under one that it believes, and the old one stays until all have', async () => {
    const old = keys.newest().kid
    await desk.hello('d1', { keys: [old] })
    await desk.hello('d2', { keys: [old] })
    expect(codeOf(await desk.ask('key.forget', { key: old }))).toBe('conflict')
    const rotated = outputOf(await desk.ask('key.rotate', {}))
    const fresh = keys.newest().kid
    expect(rotated).toMatchObject({
      keys: [
        { id: fresh, use: 'commands', newest: true },
        { id: old, use: 'commands', newest: false },
        { use: 'tokens', newest: true },
      ],
      devices_behind_count: 2,
    })
    expect(kidOf(lastTo('d1', 'ack'))).toBe(old)
    await desk.hello('d1', { keys: [old] })
    expect(kidOf(lastTo('d1', 'welcome'))).toBe(old)
    await desk.submit({ target: { device: 'd1' } })
    expect(kidOf(lastTo('d1', 'run'))).toBe(fresh)
    expect(codeOf(await desk.ask('key.forget', { key: old }))).toBe('conflict')
    await desk.hello('d2', { keys: [old] })
    expect(outputOf(await desk.ask('key.list', {}))).toMatchObject({ devices_behind_count: 0 })
    expect(outputOf(await desk.ask('key.forget', { key: old }))['keys']).toMatchObject([
      { id: fresh, use: 'commands', newest: true },
      { use: 'tokens', newest: true },
    ])
    expect(codeOf(await desk.ask('key.forget', { key: old }))).toBe('not_found')
    await desk.hello('d1', { keys: [old, fresh] })
    expect(kidOf(lastTo('d1', 'welcome'))).toBe(fresh)
  })
})
