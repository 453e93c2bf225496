import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { expect, test } from 'vitest'
import { permissionsOf, topicMatches } from '../../schemas/topics.ts'
import { eventually } from './eventually.ts'
import type { ForeignFleet } from './foreign-fleet.ts'

/** What must work on every broker: run with output and exit code, fan-out, cancel, the log afterwards, presence. Two devices, `one` and `two`. `lacks` is what doctor warns of on this broker. */
export const describeForeignFlow = (fleet: () => ForeignFleet, lacks: Readonly<Record<string, RegExp>> = {}): void => {
  const done = (id: string) => fleet().cli(['task', 'wait', id, '--json'])

  test('run passes output and exit code on', async () => {
    const { code, stdout, stderr } = await fleet().cli([
      ...['run', '--device', 'one', '--', 'sh', '-c'],
      'for i in $(seq 300); do echo line $i; done; echo oops >&2; exit 7',
    ])
    expect({ code, stderr }).toEqual({ code: 7, stderr: 'oops\n' })
    expect(stdout).toBe(Array.from({ length: 300 }, (_, i) => `line ${i + 1}\n`).join(''))
  })

  test('a fan-out reaches every device once', async () => {
    const witness = join(fleet().root, 'fanout')
    const task = JSON.stringify({ payload: { command: `pwd >> ${witness}` }, target: { fanout: 'all', selector: 'os=linux' } })
    const { stdout } = await submit(fleet(), task)
    expect((await done(stdout)).code).toBe(0)
    const ran = readFileSync(witness, 'utf8').trim().split('\n')
    expect(ran.map((line) => /devices\/(\w+)\/runs/.exec(line)?.[1]).sort()).toEqual(['one', 'two'])
  })

  test('a cancel ends the program, and the log is there afterwards', async () => {
    const { stdout } = await fleet().cli(['run', '--detach', '--device', 'two', '--', 'sh', '-c', 'echo begun; exec sleep 600'])
    const id = stdout.trim()
    await eventually('its output', async () => (await fleet().cli(['task', 'logs', id])).stdout === 'begun\n', 30_000)
    expect((await fleet().cli(['task', 'cancel', id])).code).toBe(0)
    expect((await done(id)).code).toBe(1)
    const task = JSON.parse((await fleet().cli(['task', 'get', id, '--json'])).stdout)
    expect(task).toMatchObject({ state: 'cancelled', runs: [{ confirmed: true }] })
    expect((await fleet().cli(['task', 'logs', id])).stdout).toBe('begun\n')
  })

  test('doctor finds nothing broken, and says what this broker lacks', async () => {
    const { code, stdout } = await fleet().cli(['doctor', '--json'])
    const { checks } = JSON.parse(stdout)
    const bad = checks.filter((one: { state: string }) => one.state === 'fail' || one.state === 'warn')
    expect(bad.map((one: { id: string; found: string }) => [one.id, one.found])).toEqual(
      Object.entries(lacks).map(([id, found]) => [id, expect.stringMatching(found)]),
    )
    const tried = [
      'delivery',
      'order',
      'size',
      'retain',
      'will',
      'takeover',
      'password',
      'controller-only',
      'device-only',
      'alone',
    ]
    for (const id of tried) expect(checks.map((one: { id: string }) => one.id)).toContain(id)
    expect(code).toBe(0)
  })

  test('a device that leaves is offline, one that dies too, and both come back', async () => {
    await fleet().addDevice('three')
    await fleet().letIn()
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const device = fleet().startDevice('three')
      await fleet().online('three')
      device.kill(signal)
      await eventually(
        `three is offline after ${signal}`,
        async () => JSON.parse((await fleet().cli(['device', 'get', 'three', '--json'])).stdout).state === 'offline',
        40_000,
      )
    }
  })

  test('a wrong password is refused', async () => {
    await expect(fleet().mqtt('admin', { password: 'wrong' })).rejects.toThrow(/authorized|password|closed/i)
    // The token itself is no password here: a broker that is not ours never gets it.
    const { code, stderr } = await fleet().cli(['status', '--timeout', '4'], { SKEIN_LOGIN: 'token' })
    expect({ code, stderr }).toEqual({ code: expect.toSatisfy((one) => one === 3 || one === 4), stderr: expect.any(String) })
  })

  test('one device can neither speak for another nor hear what it is told', async () => {
    const clients: MqttClient[] = []
    const heard: { by: string; topic: string; text: string }[] = []
    const as = async (subject: string): Promise<MqttClient> => {
      const client = await fleet().mqtt(subject)
      clients.push(client)
      client.on('error', () => undefined) // a broker may close on what it forbids
      client.on('message', (topic, payload) => heard.push({ by: subject, topic, text: payload.toString() }))
      return client
    }
    try {
      await (await as('admin')).subscribeAsync('skein/v1/default/device/+/heartbeat', { qos: 1 })
      // A broker may refuse these, close the connection, or grant and never deliver: each has a connection of its own.
      for (const filter of [
        '#',
        'skein/#',
        'skein/v1/default/request/#',
        'skein/v1/default/request/+/task/submit',
        'skein/v1/default/device/two/command/+',
        'skein/v1/default/device/+/command/run',
        '$MQTT/sub/#',
      ])
        (await as('one')).subscribe(filter, { qos: 1 })
      const forge = async (topic: string, payload: string) => (await as('one')).publish(topic, payload, { qos: 1 })
      await forge('skein/v1/default/device/two/heartbeat', '"forged"')
      await forge('skein/v1/default/request/admin/task/submit', '{"idempotency_key":"forged","payload":{"command":"true"}}')
      await forge('skein/v1/default/device/one/heartbeat', '"own"')
      const tag = ['--tag', `heard-${clients.length}`]
      expect((await fleet().cli(['run', '--device', 'two', ...tag, '--', 'true'])).code).toBe(0)
      await eventually('what was allowed', () => heard.some((one) => one.text === '"own"'))
      const { subscribe } = permissionsOf('default', 'device', 'one')
      const overheard = heard.filter(({ by, topic }) => by === 'one' && !subscribe.some((filter) => topicMatches(filter, topic)))
      expect(overheard).toEqual([])
      expect(heard.filter((one) => one.text.includes('forged'))).toEqual([])
      expect(JSON.parse((await fleet().cli(['task', 'list', '--json', ...tag])).stdout)).toHaveLength(1)
      const all = JSON.parse((await fleet().cli(['task', 'list', '--json'])).stdout)
      expect(JSON.stringify(all)).not.toContain('forged')
    } finally {
      for (const client of clients) await client.endAsync(true)
    }
  })
}

/** Submits a task by a file, and gives its id. */
export const submit = async (fleet: ForeignFleet, task: string): Promise<{ stdout: string }> => {
  const file = join(fleet.root, `task-${Math.round(performance.now())}.json`)
  await writeFile(file, task)
  const { code, stdout, stderr } = await fleet.cli(['task', 'submit', file, '--json'])
  if (code !== 0) throw new Error(`The task was refused: ${stderr}`)
  return { stdout: JSON.parse(stdout).task_id }
}
