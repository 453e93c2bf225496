import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readTopic } from '../../schemas/topics.ts'
import { startModel } from '../harness/agent-programs.ts'
import { eventually } from '../harness/eventually.ts'
import { collect, type Installation, plainEnv, startInstallation } from '../harness/installation.ts'
import { type LoneDevice, startLoneDevice } from '../harness/lone-device.ts'
import { mosquittoPubProgram } from '../harness/mosquitto.ts'

const examples = fileURLToPath(new URL('../../examples', import.meta.url))
const example = (name: string): string => join(examples, name)

let fleet: Installation
beforeAll(async () => {
  fleet = await startInstallation({ devices: 2 })
  for (const device of ['local-1', 'local-2']) await fleet.online(device)
}, 60_000)
afterAll(() => fleet?.close())

const run = (program: string, args: readonly string[]) => collect(program, args, { ...plainEnv(), SKEIN_DATA: fleet.data })

/** Submits a file of examples/tasks and waits for the end of what was in it. */
const submitted = async (name: string) => {
  const submit = await fleet.cli(['task', 'submit', example(`tasks/${name}`)])
  expect(submit).toMatchObject({ code: 0, stderr: '' })
  const ids = submit.stdout.trim().split('\n')
  return Promise.all(ids.map(async (id) => ({ id, task: await fleet.ended(id), output: await whole(id) })))
}

const whole = (id: string) =>
  eventually('the whole log', async () => {
    const { complete, o, e } = await fleet.output(id)
    return complete && { o: o.toString(), e: e.toString() }
  })

test('every example has a test here', () => {
  const source = readFileSync(fileURLToPath(import.meta.url), 'utf8')
  const files = readdirSync(examples, { recursive: true, encoding: 'utf8' }).filter((name) => /\.[a-z]+$/.test(name))
  expect(files.length).toBeGreaterThan(0)
  // Parts of the examples beside them; plugins have theirs in test/unit/plugin-examples.test.ts.
  const own = files.filter((name) => !/^workloads\/.*\.(py|pyc|sh)$|vars\.yaml$|^plugins\//.test(name))
  expect(own.filter((name) => !source.includes(`'${name.replace(/^(tasks|workloads)\//, '')}'`))).toEqual([])
})

describe('examples/agents/', () => {
  test('the stand-in answers as a model does, whole and in pieces, by its own script without one of ours', async () => {
    // It is 'agents/stand-in-model.mjs'.
    const model = await startModel()
    const ask = async (more: object): Promise<string> => {
      const messages = [{ role: 'user', content: 'Look around' }]
      const tools = [{ function: { name: 'developer__shell' } }]
      const body = JSON.stringify({ model: 'm', messages, tools, ...more })
      return (await fetch(`${model.url}/v1/chat/completions`, { method: 'POST', body })).text()
    }
    const whole = JSON.parse(await ask({}))
    expect(whole.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ function: { name: 'developer__shell' } }] },
    })
    const stream = await ask({ stream: true })
    expect(stream).toMatch(/^data: \{/)
    expect(stream).toMatch(/data: \[DONE\]\n\n$/)
    model.close()
  })

  test('the tour is accepted, and waits for a device that has an agent', async () => {
    const submit = await fleet.cli(['task', 'submit', example('agents/tour.yaml')])
    expect(submit).toMatchObject({ code: 0, stderr: '' })
    for (const id of submit.stdout.trim().split('\n')) {
      expect((await fleet.task(id)).target).toEqual({ selector: 'agent.goose' })
      await fleet.cancel(id)
    }
  })
})

test('examples/release is a release that runs where it is rolled out', async () => {
  // It is 'release/workloads/clock.yaml' with 'release/clock.sh'.
  const made = await fleet.cli(['release', 'create', example('release'), '--name', 'clock', '--version', '1.0.0'])
  expect(made).toMatchObject({ code: 0, stderr: '' })
  const args = ['deploy', 'clock@1.0.0', '--all', '--batch', '2', '--min-healthy', '1s', '--watch']
  expect((await fleet.cli(args, { timeoutMs: 60_000 })).code).toBe(0)
  const { stdout } = await fleet.cli(['workload', 'logs', 'clock', '--device', 'local-2'])
  expect(stdout).toContain('by clock@1.0.0 on local-2')
})

describe('examples/workloads/', () => {
  let device: LoneDevice
  beforeAll(async () => {
    device = await startLoneDevice({ env: { SKEIN_LABELS: 'site=berlin' } })
    expect(await device.ask('apply', { paths: [example('workloads')] })).toMatchObject({
      added: ['counter', 'hello-agent', 'sums', 'ticker', 'watch-one-example', 'watch-two-example'],
    })
  })
  afterAll(() => device?.close())
  const written = async (name: string): Promise<string[]> =>
    (await device.records(name)).filter(([, , stream]) => stream === 'o').map(([, , , text]) => String(text))

  test.each([
    ['counter.yaml', 'counter', 'count 5 of 5', 3],
    ['sums.yaml', 'sums', '6.5 kWh', 1],
  ])('%s does its work and is completed', async (_file, name, line, runs) => {
    await device.when('completed', name, ({ state }) => state === 'completed')
    expect((await written(name)).filter((text) => text === line)).toHaveLength(runs)
  })

  test.each([
    ['ticker.yaml', 'ticker', /tick/],
    ['watchers.yaml', 'watch-one-example', /^berlin: one\.example is/],
  ])('%s runs on', async (_file, name, line) => {
    await eventually('it has written', async () => (await written(name)).some((text) => line.test(text)))
    await device.when('running', name, ({ state, health }) => state === 'running' && health !== 'unhealthy')
  })

  test('hello-agent.yaml waits for its next firing, and says hello when it is run', async () => {
    expect(example(join('workloads', 'hello-agent.yaml'))).toSatisfy(existsSync)
    expect(await device.get('hello-agent')).toMatchObject({ state: 'registered', next_at: expect.any(String) })
    const { code, stdout } = await device.cli(['local', 'run', 'hello-agent'])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^hello from /)])
  })
})

test('every shell and JavaScript example begins with its interpreter and says what it does', () => {
  const programs = readdirSync(examples).filter((name) => /\.(sh|mjs)$/.test(name))
  for (const name of programs) expect(readFileSync(example(name), 'utf8'), name).toMatch(/^#!.*\n(#|\/\/) [A-Z]/)
})

// Missing clients fail under CI and are told of elsewhere; both come with one package.
const mosquittoPub = mosquittoPubProgram()
describe.skipIf(mosquittoPub === undefined || !existsSync(mosquittoPub.replace(/pub$/, 'sub')))('submit.sh', () => {
  test('submits once, however often it is run', async () => {
    const line = 'echo "quoted" and back\\\\slash'
    const first = await run(example('submit.sh'), ['example-submit', line])
    expect(first).toMatchObject({ code: 0, stderr: '' })
    const { id, ok, output } = JSON.parse(first.stdout)
    expect({ id, ok }).toEqual({ id: 'example-submit', ok: true })
    const second = JSON.parse((await run(example('submit.sh'), ['example-submit', line])).stdout)
    expect(second.output).toMatchObject({ task_id: output.task_id, duplicate: true })
    expect(await fleet.ended(output.task_id)).toMatchObject({ state: 'succeeded', payload: { command: line } })
    expect((await whole(output.task_id)).o).toBe('quoted and back\\slash\n')
  })

  test('exits 3 when it is refused, 2 when it is used wrongly', async () => {
    expect((await run(example('submit.sh'), ['example-conflict', 'true'])).code).toBe(0)
    const refused = await run(example('submit.sh'), ['example-conflict', 'false'])
    expect(refused.code).toBe(3)
    expect(JSON.parse(refused.stdout)).toMatchObject({ ok: false, error: { code: 'conflict' } })
    expect((await run(example('submit.sh'), [])).code).toBe(2)
  })
})

test('rest.sh submits, waits and prints the log', async () => {
  const { code, stdout, stderr } = await run(example('rest.sh'), ['example-rest'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^task [a-z0-9-]+\nstate succeeded\nlog \{.*\}\n$/)
  const page = JSON.parse(/^log (.*)$/m.exec(stdout)?.[1] ?? '')
  expect(page.records.map((one: unknown[]) => [one[2], one[3]]).sort()).toEqual([
    ['e', 'a warning'],
    ['o', 'hello from REST'],
  ])
})

test('node-client.mjs prints the output and ends with the code of the task', async () => {
  const args = [example('node-client.mjs'), 'example-node', 'echo one; sleep 0.3; echo two >&2; printf three; exit 6']
  const { code, stdout, stderr } = await run(process.execPath, args)
  expect({ code, stdout }).toEqual({ code: 6, stdout: 'one\nthree' })
  expect(stderr).toMatch(/^node-client: task \S+\n/)
  expect(stderr).toContain('two\n')
  expect(stderr).toContain('node-client: failed (exited with 6)\n')
})

describe('tasks', () => {
  test('hello.yaml says hello', async () => {
    const [one] = await submitted('hello.yaml')
    expect(one).toMatchObject({ task: { state: 'succeeded', source: 'cli' }, output: { o: 'hello from a file\n', e: '' } })
  })

  test('script.yaml gets its arguments and variables', async () => {
    const [one] = await submitted('script.yaml')
    expect(one?.task).toMatchObject({ state: 'succeeded', type: 'build', priority: 'high', tags: ['example'] })
    expect(one?.output.o).toBe('good morning, goose and gander\n')
    expect(one?.output.e).toBe(`task ${one?.id}, attempt 1, on ${one?.task.device}\n`)
  })

  test('fanout.yaml runs on every device', async () => {
    const [one] = await submitted('fanout.yaml')
    expect(one?.task.state).toBe('succeeded')
    expect(one?.task.runs.map(({ device, state }) => `${device} ${state}`).sort()).toEqual([
      'local-1 succeeded',
      'local-2 succeeded',
    ])
  })

  test('retries.yaml fails, is timed out, and succeeds', async () => {
    const [one] = await submitted('retries.yaml')
    expect(one?.task).toMatchObject({ state: 'succeeded', attempt: 3 })
    expect(one?.task.runs.map(({ state, exit_code }) => [state, exit_code])).toEqual([
      ['failed', 5],
      ['timed_out', 143],
      ['succeeded', 0],
    ])
    expect(one?.output.o).toBe('attempt 3\n')
  })

  test('several.yaml submitted twice is two tasks', async () => {
    const first = await submitted('several.yaml')
    const second = await submitted('several.yaml')
    expect(first.map(({ output }) => output.o)).toEqual(['first\n', 'second\n'])
    expect(second.map(({ id }) => id)).toEqual(first.map(({ id }) => id))
  })
})

describe('node-red-flow.json', () => {
  const Node = z.looseObject({
    id: z.string(),
    type: z.string(),
    z: z.string().optional(),
    wires: z.array(z.array(z.string())).optional(),
    broker: z.string().optional(),
    topic: z.string().optional(),
    payload: z.string().optional(),
    func: z.string().optional(),
    finalize: z.string().optional(),
  })
  const flow = z.array(Node).parse(JSON.parse(readFileSync(example('node-red-flow.json'), 'utf8')))
  const one = (type: string) => {
    const found = flow.filter((node) => node.type === type)
    expect(found, type).toHaveLength(1)
    return found[0]
  }

  test('is one tab whose wires and brokers all lead somewhere', () => {
    const ids = flow.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const { id: tab } = z.object({ id: z.string() }).parse(one('tab'))
    for (const node of flow) {
      for (const target of (node.wires ?? []).flat()) expect(ids, `${node.id} leads to ${target}`).toContain(target)
      if (node.type.startsWith('mqtt ')) expect(one('mqtt-broker')?.id).toBe(node.broker)
      if (node.z !== undefined) expect(node.z).toBe(tab)
    }
    expect(readTopic('default', one('mqtt in')?.topic ?? '')?.name).toBe('reply')
  })

  test('repeats a request until it is answered, then passes the answer on', async () => {
    const { client, received } = await clientOf()
    const node = functionNode(one('function')?.func ?? '', one('function')?.finalize ?? '')
    const inject = { _msgid: 'abc123', topic: '', payload: JSON.parse(one('inject')?.payload ?? '') }
    const [request, nothing] = node.input(inject) ?? []
    expect(nothing).toBeNull()
    expect(readTopic('default', request?.topic ?? '')).toEqual({
      name: 'request',
      params: { client: 'admin', operation: 'task/submit' },
    })
    // The first one is lost on its way: the next comes by itself, and says the same.
    await node.again()
    expect(node.sent).toEqual([[request, null]])
    await client.subscribeAsync(one('mqtt in')?.topic ?? '', { qos: 1 })
    await client.publishAsync(request?.topic ?? '', request?.payload ?? '', { qos: 1 })
    const reply = await eventually('a reply', () => received[0])
    const [, answer] = node.input({ _msgid: 'reply', topic: reply.topic, payload: reply.payload }) ?? []
    expect(answer).toMatchObject({ accepted: true, payload: { idempotency_key: 'node-red-abc123', source: 'node-red' } })
    expect(node.timers()).toBe(0)
    const id = z.object({ payload: z.object({ task_id: z.string() }) }).parse(answer).payload.task_id
    expect(await fleet.ended(id)).toMatchObject({ state: 'succeeded', type: 'test' })
    expect((await whole(id)).o).toBe('hello from Node-RED\n')
    expect(node.input({ _msgid: 'reply', topic: reply.topic, payload: reply.payload })).toBeNull()
  })

  test('tells of a refusal, keeps on when it may succeed later, and forgets all when the flow stops', () => {
    const node = functionNode(one('function')?.func ?? '', one('function')?.finalize ?? '')
    const topic = one('mqtt in')?.topic ?? ''
    const answer = (id: string, code: string, retryable: boolean) =>
      node.input({ _msgid: 'x', topic, payload: { id, ok: false, error: { code, retryable } } })
    node.input({ _msgid: '1', topic: '', payload: 'true' })
    expect(answer('node-red-1', 'unavailable', true)).toBeNull()
    expect(node.timers()).toBe(1)
    expect(answer('node-red-1', 'invalid', false)?.[1]).toMatchObject({ accepted: false, payload: { code: 'invalid' } })
    node.input({ _msgid: '2', topic: '', payload: 'true' })
    expect(node.timers()).toBe(1)
    node.stop()
    expect(node.timers()).toBe(0)
  })
})

interface Msg {
  _msgid?: string
  topic: string
  payload: string
}

/** A client whose messages are read as the mqtt in node of the flow does it. */
const clientOf = async (): Promise<{ client: MqttClient; received: { topic: string; payload: unknown }[] }> => {
  const client = await fleet.mqtt()
  const received: { topic: string; payload: unknown }[] = []
  client.on('message', (topic, payload) => received.push({ topic, payload: JSON.parse(payload.toString()) }))
  return { client, received }
}

/** Runs the code of a function node as Node-RED does: as the body of a function of msg, node, context and the timers. */
const functionNode = (func: string, finalize: string) => {
  const kept = new Map<string, unknown>()
  const timers = new Map<number, () => void>()
  const sent: (Msg | null)[][] = []
  const context = { get: (key: string) => kept.get(key), set: (key: string, value: unknown) => void kept.set(key, value) }
  const node = { send: (messages: (Msg | null)[]) => void sent.push(messages), status: () => undefined }
  let last = 0
  const setInterval = (call: () => void): number => {
    timers.set(++last, call)
    return last
  }
  const clearInterval = (timer: number): void => void timers.delete(timer)
  const names = ['msg', 'node', 'context', 'setInterval', 'clearInterval']
  const call = (body: string, msg: unknown) => new Function(...names, body)(msg, node, context, setInterval, clearInterval)
  return {
    input: (msg: unknown): [Msg | null, Msg | null] | null => call(func, msg),
    again: async () => {
      for (const one of timers.values()) one()
    },
    stop: () => call(finalize, undefined),
    timers: () => timers.size,
    sent,
  }
}
