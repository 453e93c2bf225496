import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { WireError } from '../../schemas/errors.ts'
import { replyTopicOf, topicOf } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

let installation: Installation
let client: MqttClient
let replies: { topic: string; id: string | null; ok: boolean; error?: WireError; output?: unknown }[]
let asked = 0

const own = replyTopicOf('default', 'admin')
const topic = topicOf('default', 'request', { client: 'admin', operation: 'task/submit' })

beforeAll(async () => {
  installation = await startInstallation()
  client = await installation.mqtt()
  replies = []
  client.on('message', (from, payload) => replies.push({ topic: from, ...JSON.parse(payload.toString()) }))
  await client.subscribeAsync([own, `${own}/#`], { qos: 1 })
})

afterAll(async () => {
  await installation.close()
})

afterEach(async () => {
  const { body } = await installation.answered('GET', '/tasks')
  expect(body.tasks, 'nothing is stored of what was refused').toEqual([])
})

interface Refusal {
  code: string
  /** Fields that are named, with the code of the fault where the door has one. */
  details: NonNullable<WireError['details']>
  message: string
}
type Door = (tasks: readonly unknown[]) => Promise<Refusal[]>

const oneByOne =
  (ask: (task: unknown) => Promise<Refusal>): Door =>
  async (tasks) => {
    const refusals: Refusal[] = []
    for (const task of tasks) refusals.push(await ask(task))
    return refusals
  }

/** Sends a message to a request topic and waits for the reply that comes of it. */
const replyTo = async (payload: string | Uint8Array, to = topic): Promise<(typeof replies)[number]> => {
  const before = replies.length
  await client.publishAsync(to, typeof payload === 'string' ? payload : Buffer.from(payload), { qos: 1 })
  return eventually('a reply', () => replies[before])
}

const refusalIn = (error: Partial<WireError> | undefined): Refusal => ({
  code: error?.code ?? 'accepted',
  details: error?.details ?? [],
  message: error?.message ?? '',
})

const doors: Readonly<Record<string, Door>> = {
  'an MQTT request': oneByOne(async (task) => {
    const id = `ask-${++asked}`
    const reply = await replyTo(JSON.stringify({ id, reply_to: `${own}/here`, input: task }))
    expect([reply.id, reply.topic]).toEqual([id, `${own}/here`])
    return refusalIn(reply.error)
  }),
  'a bare MQTT task': oneByOne(async (task) => {
    const reply = await replyTo(JSON.stringify(task))
    expect(reply.topic).toBe(own)
    return refusalIn(reply.error)
  }),
  REST: oneByOne(async (task) => {
    const { status, body } = await installation.api('POST', '/tasks', task)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    return refusalIn(body.error)
  }),
  'the CLI': oneByOne(async (task) => {
    const { code, stdout, stderr } = await installation.cli(['task', 'submit', '-', '--json'], { input: JSON.stringify(task) })
    expect(code, stderr).toBe(3)
    return refusalIn(JSON.parse(stdout).error)
  }),
}

const command = ['true']
const payload = { command }

/** What is wrong, the code of the refusal, and the first field with its fault. */
const wrong: readonly [what: string, task: unknown, code: string, field?: string, fault?: string, hint?: string][] = [
  ['an unknown field', { payload, prioritty: 'high' }, 'invalid', 'prioritty', 'unknown_field', 'priority'],
  [
    'an unknown option',
    { payload, options: { timeout_second: 5 } },
    'invalid',
    'options.timeout_second',
    'unknown_field',
    'timeout_seconds',
  ],
  [
    'an unknown field of target',
    { payload, target: { selektor: 'a=b' } },
    'invalid',
    'target.selektor',
    'unknown_field',
    'selector',
  ],
  [
    'an unknown field of payload',
    { payload: { comand: command, command } },
    'invalid',
    'payload.comand',
    'unknown_field',
    'command',
  ],
  ['a number for a command', { payload: { command: 7 } }, 'invalid', 'payload.command', 'invalid_type'],
  ['a text for options', { payload, options: 'fast' }, 'invalid', 'options', 'invalid_type'],
  ['a text for a timeout', { payload, options: { timeout_seconds: '5' } }, 'invalid', 'options.timeout_seconds', 'invalid_type'],
  ['an unknown priority', { payload, priority: 'urgent' }, 'invalid', 'priority', 'invalid_value'],
  ['an unknown type', { payload, type: 'shell' }, 'invalid', 'type', 'invalid_value'],
  ['command and script', { payload: { command, script: '#!/bin/sh\n' } }, 'invalid', 'payload', 'ambiguous'],
  ['neither command nor script', { payload: { env: {} } }, 'invalid', 'payload', 'required'],
  ['no payload', { priority: 'high' }, 'invalid', 'payload', 'required'],
  ['an empty command', { payload: { command: [] } }, 'invalid', 'payload.command'],
  ['an empty object', {}, 'invalid', 'payload', 'required'],
  [
    'a selector that cannot be read',
    { payload, target: { selector: 'role in builder' } },
    'invalid',
    'target.selector',
    'invalid_selector',
  ],
  ['device and selector', { payload, target: { device: 'local', selector: 'os=linux' } }, 'invalid', 'target', 'ambiguous'],
  ['a device name that cannot be', { payload, target: { device: 'Local_1' } }, 'invalid', 'target.device', 'invalid_format'],
  ['a model for a command', { payload: { command: ['true'], model: 'gpt-4o' } }, 'invalid', 'payload.model', 'ambiguous'],
  ['a workload of no device', { payload: { workload: 'ticker' } }, 'invalid', 'target.device', 'required'],
  ['too large', { payload: { command: ['echo', 'x'.repeat(70_000)] } }, 'too_large'],
  ['an empty idempotency_key', { payload, idempotency_key: '' }, 'invalid', 'idempotency_key', 'too_small'],
  ['a long idempotency_key', { payload, idempotency_key: 'k'.repeat(257) }, 'invalid', 'idempotency_key', 'too_big'],
  ['a timeout of 0', { payload, options: { timeout_seconds: 0 } }, 'invalid', 'options.timeout_seconds', 'too_small'],
  ['a negative timeout', { payload, options: { timeout: -5 } }, 'invalid', 'options.timeout_seconds', 'too_small'],
  ['two timeouts', { payload, options: { timeout: 5, timeout_seconds: 6 } }, 'invalid', 'options.timeout_seconds', 'ambiguous'],
  ['negative retries', { payload, options: { retries: -1 } }, 'invalid', 'options.retries', 'too_small'],
  ['a NUL byte in an argument', { payload: { command: ['echo', 'a\0b'] } }, 'invalid', 'payload.command.1', 'nul_byte'],
  ['a NUL byte in a line', { payload: { command: 'echo a\0b' } }, 'invalid', 'payload.command', 'nul_byte'],
  ['a NUL byte in a variable', { payload: { command, env: { A: 'a\0b' } } }, 'invalid', 'payload.env.A', 'nul_byte'],
  ['a variable name that cannot be', { payload: { command, env: { 'A-B': '1' } } }, 'invalid', 'payload.env.A-B'],
  ['a script without a shebang', { payload: { script: 'echo hello' } }, 'invalid', 'payload.script', 'invalid_format'],
  ['a callback that is not HTTP', { payload, callback_url: 'ftp://example.org/' }, 'invalid', 'callback_url'],
  ['a callback that is no URL', { payload, callback_url: 'here' }, 'invalid', 'callback_url'],
  ['a fan-out that matches nobody', { payload, target: { selector: 'role=none', fanout: 'all' } }, 'no_match', 'target.selector'],
]

describe.each(Object.entries(doors))('by %s', (_, ask) => {
  test('every wrong task is refused with its code and the field, and nothing is stored', async () => {
    const found: unknown[] = []
    const expected: unknown[] = []
    const refusals = await ask(wrong.map(([, task]) => task))
    expect(refusals.length).toBe(wrong.length)
    for (const [i, [what, , code, field, fault, hint]] of wrong.entries()) {
      const refusal = refusals[i] ?? refusalIn(undefined)
      const named = refusal.details.find((one) => one.field === field)
      found.push({
        what,
        code: refusal.code,
        field: field === undefined ? undefined : (named?.field ?? refusal.details.map((one) => one.field)),
        fault: fault === undefined ? undefined : named?.code,
        hint: hint === undefined ? undefined : named?.accepted?.[0],
        hasMessage: refusal.message.length > 10,
      })
      expected.push({ what, code, field, fault, hint, hasMessage: true })
    }
    expect(found).toEqual(expected)
  }, 90_000)
})

const notUtf8 = Buffer.concat([Buffer.from('{"payload":{"command":["echo","'), Buffer.from([0xff, 0xc3]), Buffer.from('"]}}')])
const notJson: readonly [what: string, body: string | Uint8Array][] = [
  ['broken JSON', '{"payload": {"command": ["true"]}'],
  ['bytes that are not UTF-8', notUtf8],
  ['an array', JSON.stringify([{ payload }])],
  ['a text', '"true"'],
  ['null', 'null'],
  ['nothing', ''],
]

test.each(notJson)('%s is refused by MQTT and by REST', async (_, body) => {
  const reply = await replyTo(body)
  expect([reply.ok, reply.error?.code]).toEqual([false, 'invalid'])
  const rest = await installation.api('POST', '/tasks', body)
  expect([rest.status, rest.body.error?.code]).toEqual([400, 'invalid'])
})

test('what is no task is wrong usage of the CLI', async () => {
  for (const input of ['{"payload": {"command"', 'text', '[1, 2]', '', notUtf8]) {
    const { code, stderr } = await installation.cli(['task', 'submit', '-'], { input })
    expect([code, stderr.startsWith('skein: ')], `${input}: ${stderr}`).toEqual([2, true])
  }
  const file = join(installation.root, 'tasks.json')
  writeFileSync(file, JSON.stringify([{ payload: {} }, { payload, typo: 1 }]))
  const list = await installation.cli(['task', 'submit', file])
  expect(list.code).toBe(3)
  expect(list.stderr).toContain('task 1')
  expect(list.stderr).toContain('task 2')
  writeFileSync(file, JSON.stringify([{ payload }, { payload, typo: 1 }]))
  const half = await installation.cli(['task', 'submit', file, '--json'])
  expect(half.code).toBe(3)
  expect(JSON.parse(half.stdout).map(({ error }: { error: WireError }) => error.code)).toEqual(['conflict', 'invalid'])
  expect(
    JSON.parse((await installation.cli(['task', 'list', '--json'])).stdout),
    'nothing of a list with a fault is sent',
  ).toEqual([])
  expect((await installation.cli(['task', 'submit', join(installation.root, 'none')])).code).toBe(2)
})

test('an unknown operation and an envelope that cannot be read are answered', async () => {
  const reply = await replyTo(
    JSON.stringify({ id: 'x', input: {} }),
    topicOf('default', 'request', { client: 'admin', operation: 'task/submitt' }),
  )
  expect([reply.id, reply.error?.code]).toEqual(['x', 'unknown_operation'])
  expect(reply.error?.message).toContain('task.submit')
  const envelope = await replyTo(JSON.stringify({ id: 7, input: { payload } }))
  expect(envelope.error?.code).toBe('invalid')
  const rest = await installation.api('POST', '/taskz', { payload })
  expect([rest.status, rest.body.error.code]).toEqual([404, 'unknown_operation'])
  const method = await installation.api('POST', '/devices', {})
  expect([method.status, method.body.error.code]).toEqual([405, 'unknown_operation'])
})

test('a reply_to outside the own tree is not used', async () => {
  const outside = [
    topicOf('default', 'reply', { client: 'somebody', rest: 'here' }),
    topicOf('default', 'deviceCommand', { device: 'local', verb: 'run' }),
    `${own}-else/here`,
    `${own}/../somebody`,
    `${own}/+`,
    'skein/v1/other/reply/admin/here',
  ]
  const device = await installation.mqtt(await installation.tokenFor('local', 'device'))
  const strayed: string[] = []
  device.on('message', (from) => strayed.push(from))
  await device.subscribeAsync(topicOf('default', 'deviceCommand', { device: 'local', verb: 'run' }), { qos: 1 })
  for (const reply_to of outside) {
    const reply = await replyTo(JSON.stringify({ id: 'stray', reply_to, input: {} }))
    expect([reply.topic, reply.ok], reply_to).toEqual([own, false])
  }
  expect(strayed).toEqual([])
})

test('a viewer may not submit, and is told so by every door', async () => {
  // The controller knows tokens that lie in its data folder when it starts.
  const token = await installation.tokenFor('watcher', 'viewer')
  await installation.enter('watcher', token)
  const watcher = await installation.mqtt(token)
  const told: (typeof replies)[number][] = []
  watcher.on('message', (from, body) => told.push({ topic: from, ...JSON.parse(body.toString()) }))
  await watcher.subscribeAsync(replyTopicOf('default', 'watcher'), { qos: 1 })
  await watcher.publishAsync(
    topicOf('default', 'request', { client: 'watcher', operation: 'task/submit' }),
    JSON.stringify({ payload }),
    { qos: 1 },
  )
  const reply = await eventually('a reply', () => told[0])
  expect([reply.ok, reply.error?.code]).toEqual([false, 'forbidden'])
  const rest = await installation.api('POST', '/tasks', { payload }, token)
  expect([rest.status, rest.body.error.code]).toEqual([403, 'forbidden'])
  expect((await installation.api('GET', '/tasks', undefined, token)).status).toBe(200)
  const cli = await installation.cli(['task', 'submit', '-', '--token', token, '--json'], { input: JSON.stringify({ payload }) })
  expect([cli.code, JSON.parse(cli.stdout).error.code]).toEqual([3, 'forbidden'])

  // In somebody else's name it is not even heard.
  const closed = new Promise<void>((resolve) => watcher.once('close', () => resolve()))
  watcher.publish(topic, JSON.stringify({ payload }), { qos: 1 })
  await closed
  await watcher.endAsync(true)
})
