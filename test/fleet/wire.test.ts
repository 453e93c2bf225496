import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Signer, signerOf } from '../../base/jws.ts'
import { newPrivateKey } from '../../base/p256.ts'
import { pathsIn } from '../../base/paths.ts'
import { openCommandKeys } from '../../controller/identity/command-keys.ts'
import { Command } from '../../schemas/exchange.ts'
import { instant } from '../../schemas/ids.ts'
import { Jws } from '../../schemas/keys.ts'
import { topicOf } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, isAlive, startInstallation } from '../harness/installation.ts'
import { type BadWire, copyOf, startProxy } from '../harness/proxy.ts'
import { seedOf } from '../harness/seeded.ts'

const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])
const linesWith = (file: string, text: string): string[] => linesOf(file).filter((line) => line.includes(text))

/** Of a device between two tries to connect, and some more. */
const longestWaitMs = 75_000

describe('a hub whose devices are behind a bad network', () => {
  let installation: Installation
  const proxies: BadWire[] = []

  beforeAll(async () => {
    installation = await startInstallation({ devices: 0, env: { SKEIN_HEARTBEAT_SECONDS: '1' } })
  })

  afterAll(async () => {
    for (const proxy of proxies) proxy.mend()
    await installation.close()
    for (const proxy of proxies) await proxy.close()
  })

  /** A device of its own behind a proxy of its own. */
  const deviceBehindProxy = async (name: string, env: Record<string, string> = {}, seed = 1): Promise<BadWire> => {
    const proxy = await startProxy(installation.endpoints.mqtt, seed)
    proxies.push(proxy)
    await installation.startDevice(name, proxy.url, await installation.tokenFor(name, 'device'), env)
    await installation.online(name)
    return proxy
  }

  // They mostly wait: at the same time it takes half as long.
  test.concurrent('cut off for longer than its lease and back: the late result is kept beside the loss, and a run with on_lost: stop has stopped before its retry', async () => {
    const witness = join(installation.root, 'cut')
    const go = join(installation.root, 'cut-go')
    const [kept, stopped] = await Promise.all([
      deviceBehindProxy('kept'),
      deviceBehindProxy('stopped', { SKEIN_LABELS: 'pair=yes' }),
    ])

    const wait = `while [ ! -e "$1" ]; do sleep 0.05; done; echo late; exit 4`
    const keep = await installation.submit({
      payload: { command: ['sh', '-c', wait, 'sh', go] },
      target: { device: 'kept' },
      options: { lost_after_seconds: 2 },
    })
    // It notes every fifth of a second that it is there, and nothing but SIGKILL ends it; the second attempt ends at once.
    const linger = `trap '' TERM; echo "start $SKEIN_ATTEMPT $$" >>"$1"; [ "$SKEIN_ATTEMPT" = 2 ] && exit 0
      while :; do echo "alive $SKEIN_ATTEMPT" >>"$1"; sleep 0.2; done`
    const stop = await installation.submit({
      payload: { command: ['sh', '-c', linger, 'sh', witness] },
      target: { selector: 'pair=yes' },
      options: { lost_after_seconds: 2, on_lost: 'stop', retries: 1, retry_backoff_seconds: 0 },
    })
    await installation.taskWhen('it runs', keep, ({ runs }) => runs[0]?.state === 'running')
    await installation.taskWhen('it runs', stop, ({ runs }) => runs[0]?.state === 'running')
    await deviceBehindProxy('second', { SKEIN_LABELS: 'pair=yes' })

    kept.cut()
    stopped.freeze()
    await installation.taskWhen('a doubt', keep, ({ runs }) => runs[0]?.state === 'unknown')
    const lost = await installation.ended(keep)
    expect([lost.state, lost.runs[0]?.state, lost.runs[0]?.late]).toEqual(['lost', 'lost', null])

    const retried = await installation.ended(stop)
    expect([retried.state, retried.device, retried.runs.map(({ state }) => state)]).toEqual([
      'succeeded',
      'second',
      ['lost', 'succeeded'],
    ])
    const said = linesOf(witness).map((line) => line.split(' ').slice(0, 2).join(' '))
    expect(said.at(-1), 'nothing of the first attempt came after the second had begun').toBe('start 2')
    expect(said.filter((line) => line.startsWith('start'))).toEqual(['start 1', 'start 2'])
    expect(isAlive(Number(linesWith(witness, 'start 1')[0]?.split(' ')[2])), 'the first attempt is gone').toBe(false)

    writeFileSync(go, '')
    kept.mend()
    stopped.mend()
    // After so long a cut a device may take its time before it tries again.
    const late = await installation.taskWhen('its late result', keep, ({ runs }) => runs[0]?.late !== null, longestWaitMs)
    expect([late.state, late.runs[0]?.state, late.runs[0]?.late]).toMatchObject([
      'lost',
      'lost',
      { state: 'failed', exit_code: 4 },
    ])
    const superseded = await installation.taskWhen(
      'word of the first attempt',
      stop,
      ({ runs }) => runs[0]?.late !== null,
      longestWaitMs,
    )
    expect([superseded.state, superseded.runs[0]?.state, superseded.runs[0]?.late]).toMatchObject([
      'succeeded',
      'lost',
      { state: 'failed', reason: 'superseded' },
    ])
  }, 240_000)

  test.concurrent('messages dropped, doubled, delayed and replayed without a disconnect: every task runs once, and its log is whole', async () => {
    const witness = join(installation.root, 'faulty')
    const proxy = await deviceBehindProxy('faulty', { SKEIN_CAPACITY: '10' }, seedOf('faulty wire'))
    proxy.setFaults({ drop: 0.12, double: 0.15, delay: 0.25, delayMs: 800, replay: 0.15 })
    const script = `echo "$SKEIN_TASK" >>"$1"; for i in 1 2 3 4 5; do echo "line $i"; sleep 0.1; done; exit "$2"`
    const ids = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        installation.submit({
          payload: { command: ['sh', '-c', script, 'sh', witness, String(i % 3)] },
          target: { device: 'faulty' },
        }),
      ),
    )
    for (const [i, id] of ids.entries()) {
      const task = await installation.ended(id, 150_000)
      const code = i % 3
      expect([task.state, task.exit_code, task.runs.length]).toEqual([code === 0 ? 'succeeded' : 'failed', code, 1])
    }
    expect(linesOf(witness).sort()).toEqual([...ids].sort())
    for (const id of ids) {
      const output = await eventually(
        'a whole log',
        async () => {
          const now = await installation.output(id)
          return now.complete && now
        },
        100_000,
      )
      expect(output.o.toString()).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n')
    }
    expect(
      Object.values(proxy.counts).every((count) => count > 0),
      JSON.stringify(proxy.counts),
    ).toBe(true)
    proxy.setFaults({})
  }, 280_000)

  test('a command that was kept, replayed, of an earlier controller, expired or for another device starts nothing', async () => {
    const witness = join(installation.root, 'replayed')
    const proxy = await deviceBehindProxy('careful')
    const script = 'echo "$1" >>"$0"'
    const id = await installation.submit({
      payload: { command: ['sh', '-c', script, witness, 'once'] },
      target: { device: 'careful' },
    })
    await installation.ended(id)

    const topic = topicOf('default', 'deviceCommand', { device: 'careful', verb: 'run' })
    const old = proxy.passed.find(({ packet }) => packet.topic === topic)
    if (!old) throw new Error('The proxy has seen no run command')
    const original = Jws.parse(JSON.parse(old.packet.payload.toString()))
    const command = Command.parse(JSON.parse(Buffer.from(original.payload, 'base64url').toString()))
    const keys = openCommandKeys(pathsIn(installation.data))
    const stranger = signerOf(newPrivateKey())
    const controller = await installation.mqtt(await installation.tokenFor('controller', 'controller'))
    /** The command once more, for a run that nobody knows, and with something wrong about it. */
    const forged = (word: string, change: Partial<Command> = {}, signer: Signer = keys.newest()): string =>
      JSON.stringify(signer.sign('skein-command', bodyOf(word, change), { withKey: true }))
    const bodyOf = (word: string, change: Partial<Command>): string =>
      JSON.stringify({
        ...command,
        id: `forged-${word}`,
        issued_at: instant(Date.now()),
        expires_at: instant(Date.now() + 60_000),
        ...change,
        body: {
          runs: [
            { run: `${word}-1`, task: word, attempt: 1, payload: { command: ['sh', '-c', script, witness, word] }, options: {} },
          ],
        },
      })

    // The very same command: by way of the broker, and straight from the wire.
    await controller.publishAsync(topic, old.packet.payload, { qos: 1 })
    proxy.inject('down', copyOf(old.packet))
    proxy.inject('down', copyOf(old.packet, { retain: true }))
    // New commands with one thing wrong about each.
    proxy.inject('down', copyOf(old.packet, { retain: true, payload: forged('retained') }))
    await controller.publishAsync(topic, forged('epoch', { epoch: command.epoch - 1 }), { qos: 1 })
    await controller.publishAsync(topic, forged('expired', { expires_at: instant(Date.now() - 1000) }), { qos: 1 })
    await controller.publishAsync(topic, forged('fleet', { fleet: 'other' }), { qos: 1 })
    await controller.publishAsync(topic, forged('device', { device: 'kept' }), { qos: 1 })
    await controller.publishAsync(topic, forged('verb', { verb: 'cancel' }), { qos: 1 })
    await controller.publishAsync(topic, forged('session', { nonce: 'earlier' }), { qos: 1 })
    await controller.publishAsync(topic, forged('no-session', { nonce: null }), { qos: 1 })
    await controller.publishAsync(topic, forged('stranger', {}, stranger), { qos: 1 })
    await controller.publishAsync(topic, bodyOf('unsigned', {}), { qos: 1 })
    const signed = Jws.parse(JSON.parse(forged('changed')))
    const changed = Buffer.from(bodyOf('tampered', {})).toString('base64url')
    await controller.publishAsync(topic, JSON.stringify({ ...signed, payload: changed }), { qos: 1 })
    // Nothing wrong: when this has run, all before it have been looked at.
    await controller.publishAsync(topic, forged('good'), { qos: 1 })
    await eventually('the good one', () => linesOf(witness).includes('good'))
    expect(linesOf(witness)).toEqual(['once', 'good'])

    // What has run is remembered in the journal, not only by the daemon that ran it.
    await controller.publishAsync(topic, forged('good'), { qos: 1 })
    await controller.publishAsync(topic, forged('good', { id: 'another' }), { qos: 1 })
    await controller.publishAsync(topic, forged('better'), { qos: 1 })
    await eventually('the next good one', () => linesOf(witness).includes('better'))
    expect(linesOf(witness)).toEqual(['once', 'good', 'better'])

    // The broker keeps no command, whoever asks: it closes the connection.
    const closed = new Promise<void>((resolve) => controller.once('close', () => resolve()))
    controller.publish(topic, forged('kept'), { qos: 1, retain: true })
    await closed
    await controller.endAsync(true)
    const reader = await installation.mqtt(await installation.tokenFor('careful', 'device'))
    const kept: string[] = []
    reader.on('message', (_, payload, packet) => packet.retain && kept.push(payload.toString()))
    await reader.subscribeAsync([topic, topicOf('default', 'controllerState', {})], { qos: 1 })
    await eventually('what is retained', () => kept.length > 0)
    expect(kept.filter((payload) => payload.includes('forged'))).toEqual([])
  })
})

describe('a broker apart', () => {
  let installation: Installation

  afterEach(async () => {
    await installation.close()
  })

  test('killed and replaced by an empty one while runs go on: all come back, and nothing is lost', async () => {
    installation = await startInstallation({ apart: true, devices: 2, env: { SKEIN_CAPACITY: '4' } })
    const witness = join(installation.root, 'witness')
    const go = join(installation.root, 'go')
    const script = `echo "$SKEIN_TASK" >>"$1"; i=0
      while [ ! -e "$2" ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done; echo "of $i"`
    const ids = await Promise.all(
      Array.from({ length: 8 }, () => installation.submit({ payload: { command: ['sh', '-c', script, 'sh', witness, go] } })),
    )
    for (const id of ids) await installation.taskWhen('it runs', id, ({ runs }) => runs[0]?.state === 'running')

    for (let kills = 0; kills < 2; kills++) {
      const pid = installation.kill('broker')
      await eventually('another broker', () => {
        const now = installation.pidOf('broker')
        return now !== undefined && now !== pid
      })
      // Whatever was retained is there again.
      const client = await eventually('a connection', () => installation.mqtt().catch(() => false as const))
      const retained = new Map<string, string>()
      client.on('message', (topic, payload) => retained.set(topic, payload.toString()))
      const states = [
        topicOf('default', 'controllerState', {}),
        ...['local-1', 'local-2'].map((device) => topicOf('default', 'deviceState', { device })),
      ]
      await client.subscribeAsync(states, { qos: 1 })
      await eventually('all are online', () => states.every((topic) => retained.get(topic)?.includes('"online"')))
      for (const device of ['local-1', 'local-2']) await installation.online(device)
    }
    const during = await installation.submit({ payload: { command: ['echo', 'hello'] }, target: { device: 'local-1' } })
    writeFileSync(go, '')
    expect((await installation.ended(during)).state).toBe('succeeded')
    for (const id of ids) {
      const task = await installation.ended(id)
      expect([task.state, task.runs.length, task.runs[0]?.late]).toEqual(['succeeded', 1, null])
      const { o, complete } = await installation.output(id)
      const lines = o.toString().split('\n').slice(0, -1)
      expect(lines).toEqual([...Array.from({ length: lines.length - 1 }, (_, i) => `line ${i}`), `of ${lines.length - 1}`])
      expect(complete).toBe(true)
    }
    expect(linesOf(witness).sort()).toEqual([...ids].sort())
  }, 90_000)
})
