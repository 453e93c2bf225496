import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestPassword, passwordFor } from '../../base/login.ts'
import { pathsIn } from '../../base/paths.ts'
import type { BrokerUser } from '../../controller/cli/broker-config/kind.ts'
import { mosquitto } from '../../controller/cli/broker-config/mosquitto.ts'
import { nats } from '../../controller/cli/broker-config/nats.ts'
import { rabbitmq } from '../../controller/cli/broker-config/rabbitmq.ts'
import { runCli } from '../../controller/cli/cli.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { issueToken } from '../../controller/identity/tokens.ts'
import { openStore } from '../../controller/store/store.ts'
import { filterOf, permissionsOf, type Role, roles, type TopicName, topicMatches, topicTable } from '../../schemas/topics.ts'
import { recordingIo } from './cli-io.ts'

const fleet = 'yard'
const userOf = (subject: string, role: Role): BrokerUser => ({
  subject,
  role,
  password: 'p',
  ...permissionsOf(fleet, role, subject),
})
const users = roles.map((role) => userOf(`a-${role}`, role))
const plan = { fleet, users, listen: { host: '127.0.0.1', port: 1883 }, folder: '/x', publicKeyPem: '' }
const fileIn = (kind: typeof mosquitto, name: string): string => kind.files(plan).find((file) => file.name === name)?.text ?? ''

/** A topic of every entry, for every subject and for a stranger whose name begins like one. */
const topics = (Object.keys(topicTable) as TopicName[]).flatMap((name) =>
  [...users.map((user) => user.subject), 'a-devices', 'a'].flatMap((who) => {
    const topic = filterOf(fleet, name, { client: who, device: who, operation: 'task/submit', rest: 'a/b' }).replaceAll(
      '+',
      'x-1',
    )
    return [topic, `${topic}/more`, topic.replace('/yard/', '/yard2/')]
  }),
)

describe('what broker-config writes is what the table of topics grants', () => {
  test.each(users)('RabbitMQ: $role', ({ subject, publish, subscribe }) => {
    const { topic_permissions: all } = JSON.parse(fileIn(rabbitmq, 'definitions.json'))
    const mine = all.find((one: { user: string }) => one.user === subject)
    for (const topic of topics) {
      const key = topic.replaceAll('/', '.')
      expect([topic, new RegExp(mine.write).test(key)]).toEqual([topic, publish.some((filter) => topicMatches(filter, topic))])
      expect([topic, new RegExp(mine.read).test(key)]).toEqual([topic, subscribe.some((filter) => topicMatches(filter, topic))])
    }
    // A subscription is held against it as a pattern, with * and #.
    const asPattern = (filter: string) => filter.replaceAll('/', '.').replaceAll('+', '*')
    for (const filter of subscribe) expect(new RegExp(mine.read).test(asPattern(filter))).toBe(true)
    for (const filter of ['#', 'skein/#', `skein/v1/${fleet}/#`, `skein/v1/${fleet}/event/#`, `skein/v1/${fleet}/device/#`])
      expect(new RegExp(mine.read).test(asPattern(filter))).toBe(false)
  })

  test.each(users)('Mosquitto: $role', ({ subject, publish, subscribe }) => {
    const block =
      fileIn(mosquitto, 'acl')
        .split('\nuser ')
        .find((one) => one.startsWith(`${subject}\n`)) ?? ''
    const granted = [...block.matchAll(/^topic (\S+) (\S+)$/gm)].map(([, how, filter]) => ({ how, filter }))
    const filtersOf = (side: string) =>
      granted.flatMap(({ how, filter }) => (how === side || how === 'readwrite' ? [filter] : []))
    expect(filtersOf('write').sort()).toEqual([...publish].sort())
    expect(filtersOf('read').sort()).toEqual([...subscribe].sort())
  })

  test.each(users)('NATS: $role', ({ subject, publish }) => {
    const block =
      fileIn(nats, 'users.conf')
        .split('user: ')
        .find((one) => one.startsWith(`"${subject}"`)) ?? ''
    const allowed = [...(/publish: \{ allow: \[(.*)\]/.exec(block)?.[1] ?? '').matchAll(/"([^"]+)"/g)].map((one) => one[1] ?? '')
    const takes = (topic: string) =>
      allowed.some((one) =>
        one.endsWith('.>')
          ? topicMatches(`${one.slice(0, -2).replaceAll('.', '/').replaceAll('*', '+')}/+/#`, topic)
          : topicMatches(one.replaceAll('.', '/').replaceAll('*', '+'), topic),
      )
    for (const topic of topics)
      expect([topic, takes(topic)]).toEqual([topic, publish.some((filter) => topicMatches(filter, topic))])
  })
})

describe('skein broker-config', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skein-broker-config-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const cli = async (...argv: string[]) => {
    const { io, written } = recordingIo({ env: { SKEIN_DATA: join(folder, 'data'), XDG_CONFIG_HOME: folder } })
    return { code: await runCli(io, argv), ...written }
  }

  test('lets in whom the controller lists, by the newest token, and nobody whose token was revoked or has run out', async () => {
    expect((await cli('broker-config', 'mosquitto')).code).toBe(0)
    const paths = pathsIn(join(folder, 'data'))
    mkdirSync(paths.controller, { recursive: true })
    const store = openStore(paths.controllerDb, paths.logDb)
    const now = Date.now()
    const put = (jti: string, subject: string, role: string, over: object = {}) =>
      store.tokens.put({
        jti,
        subject,
        role,
        hash: jti.padEnd(64, '0'),
        created_at: now,
        expires_at: now + 60_000,
        revoked_at: null,
        last_used_at: null,
        key: 'k',
        ...over,
      })
    put('a1', 'pump', 'device', { created_at: now - 1000 })
    put('a2', 'pump', 'device')
    put('b1', 'gone', 'viewer', { revoked_at: now })
    put('c1', 'old', 'viewer', { expires_at: now - 1 })
    const { out } = await cli('broker-config', 'nats', '--json')
    store.db.close()
    store.logDb.close()
    const { users: found, files } = JSON.parse(out)
    expect(found).toEqual([
      { subject: 'admin', role: 'admin' },
      { subject: 'controller', role: 'controller' },
      { subject: 'dashboard', role: 'viewer' },
      { subject: 'pump', role: 'device' },
    ])
    const text = files.find((file: { name: string }) => file.name === 'users.conf').text
    expect(text).toContain(digestPassword('a2'.padEnd(64, '0')))
    expect(text).not.toContain(digestPassword('a1'.padEnd(64, '0')))
    expect(text).toContain(passwordFor('digest', readFileSync(paths.adminToken, 'utf8').trim()))
  })

  test('writes what is yours once, and what is secret for its owner alone', async () => {
    const out = join(folder, 'out')
    expect(await cli('broker-config', 'mosquitto', '--out', out, '--listen', '0.0.0.0:1884')).toMatchObject({ code: 0, err: '' })
    expect(readFileSync(join(out, 'mosquitto.conf'), 'utf8')).toContain('listener 1884 0.0.0.0')
    expect(statSync(join(out, 'passwd')).mode & 0o777).toBe(0o600)
    writeFileSync(join(out, 'mosquitto.conf'), 'mine')
    const before = readFileSync(join(out, 'passwd'), 'utf8')
    await cli('broker-config', 'mosquitto', '--out', out)
    expect(readFileSync(join(out, 'mosquitto.conf'), 'utf8')).toBe('mine')
    expect(readFileSync(join(out, 'passwd'), 'utf8')).not.toBe(before) // another salt
  })

  test('takes tokens from elsewhere, of this fleet only', async () => {
    await cli('broker-config', 'emqx')
    const key = openTokenKeys(pathsIn(join(folder, 'data'))).newest()
    const token = (of: string) =>
      issueToken(key, { subject: 'far', role: 'device', fleet: of, ttlSeconds: 60, now: Date.now(), jti: `far-${of}` })
    writeFileSync(join(folder, 'far.token'), await token('default'))
    writeFileSync(join(folder, 'other.token'), await token('other'))
    const far = await cli('broker-config', 'rabbitmq', '--token-file', join(folder, 'far.token'), '--json')
    expect(JSON.parse(far.out).users).toContainEqual({ subject: 'far', role: 'device' })
    for (const name of ['other.token', 'none.token'])
      expect(await cli('broker-config', 'rabbitmq', '--token-file', join(folder, name))).toMatchObject({ code: 2 })
    expect(existsSync(join(folder, 'data', 'controller'))).toBe(false)
  })

  test('login prints what other clients log in with; a kind that is none is wrong usage', async () => {
    await cli('broker-config', 'nats')
    const token = readFileSync(pathsIn(join(folder, 'data')).adminToken, 'utf8').trim()
    const { out } = await cli('broker-config', 'login', '--json')
    expect(JSON.parse(out)).toEqual({ user: 'admin', password: passwordFor('digest', token) })
    expect(out).not.toContain(token)
    expect(await cli('broker-config', 'hivemq')).toMatchObject({ code: 2, err: expect.stringContaining('mosquitto') })
    expect(await cli('broker-config', 'nats', '--listen', 'here')).toMatchObject({ code: 2 })
  })
})
