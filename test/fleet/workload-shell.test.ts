import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { eventually } from '../harness/eventually.ts'
import { type Installation, plainEnv, startInstallation } from '../harness/installation.ts'

const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))
const startFleet = async (env: Readonly<Record<string, string>> = {}): Promise<Installation> => {
  const fleet = await startInstallation({ env })
  await fleet.online('local')
  const file = join(fleet.root, 'web.yaml')
  const web = { name: 'web', type: 'service', run_mode: 'forever', command: 'exec sleep 1000', env: { GREETING: 'hello' } }
  writeFileSync(file, stringify(web))
  const applied = await fleet.cli(['local', 'apply', file])
  expect([applied.code, applied.stderr]).toEqual([0, ''])
  await eventually('the controller has heard of it', async () => {
    const { body } = await fleet.api('GET', '/devices/local/workloads/web')
    return body.state === 'running'
  })
  return fleet
}
const path = '/devices/local/workloads/web/shell'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const textOf = (body: { output: string }) => Buffer.from(body.output, 'base64').toString()

/** Processes with this in their environment. */
const marked = (mark: string): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark)
      } catch {
        return false // it has ended
      }
    })

describe('a shell on a device that lets admins in', () => {
  let fleet: Installation
  beforeAll(async () => {
    fleet = await startFleet({ SKEIN_REMOTE_SHELL: 'true', SHELL: '/bin/sh' })
  })
  afterAll(async () => {
    await fleet.close()
  })
  const open = async (): Promise<string> => {
    const { status, body } = await fleet.api('POST', path, {})
    expect([status, body.error]).toEqual([200, undefined])
    return body.session
  }
  const readUntil = async (session: string, words: string): Promise<string> => {
    let text = ''
    let after = 0
    await eventually(`the shell says ${words}`, async () => {
      const { body } = await fleet.api('POST', path, { session, after, wait_seconds: 2 })
      text += textOf(body)
      after = body.next
      return text.includes(words)
    })
    return text
  }

  test('runs what is piped into it, ends as it ends, and is on record, with nothing of it in a log', async () => {
    const client = await fleet.mqtt()
    const seen: { topic: string; text: string }[] = []
    client.on('message', (topic, payload) => seen.push({ topic, text: payload.toString() }))
    await client.subscribeAsync(['skein/v1/default/device/+/log/+', 'skein/v1/default/event/+'])
    const input = 'echo "$GREETING from $SKEIN_WORKLOAD"; pwd; exit 7\n'
    const { code, stdout, stderr } = await fleet.cli(['workload', 'shell', 'web'], { input })
    expect([code, stderr]).toEqual([7, ''])
    expect(stdout).toContain('hello from web\r\n')
    expect(stdout).toContain(`${fleet.root}\r\n`)
    const audits = () => seen.filter(({ text }) => text.includes('workload_shell')).flatMap(({ text }) => JSON.parse(text))
    await eventually('both are on record', () => audits().length >= 2)
    expect(audits().map(({ data }) => data)).toMatchObject(
      ['open', 'end'].map((action) => ({
        subject: 'admin',
        device: 'local',
        workload: 'web',
        session: expect.any(String),
        action,
      })),
    )
    expect(seen.filter(({ text }) => text.includes('hello from web'))).toEqual([])
    await client.endAsync(true)
  })

  test('is left by ~. where somebody types, and hung up then', async () => {
    const cli = `"${process.execPath}" "${skein}" workload shell web`
    const env = { ...plainEnv(), SKEIN_DATA: fleet.data, TERM: 'vt100', SHELL: '/bin/sh' }
    const child = spawn('script', ['-qfec', cli, '/dev/null'], { env })
    let text = ''
    child.stdout.on('data', (part) => {
      text += String(part)
    })
    await eventually('the shell is there', () => text.includes('leaves it'))
    child.stdin.write('echo $TERM-$((1+1)) ~.\r')
    await eventually('it has answered', () => text.includes('vt100-2 ~.'))
    child.stdin.write('~.')
    const [code] = await once(child, 'exit')
    expect(code).toBe(129)
  })

  test('ends with its input, if that says nothing of it', async () => {
    const { code, stdout } = await fleet.cli(['workload', 'shell', 'web'], { input: 'echo one; sleep 1; echo two' })
    expect(code).toBe(0)
    expect(stdout).toContain('two\r\n')
  })

  test('is a terminal of the size that is asked for, in which Ctrl-C interrupts; what is repeated with a key is typed once', async () => {
    const { body } = await fleet.api('POST', path, { rows: 33, columns: 99, term: 'xterm' })
    const { session } = body
    const once = { session, write: base64('stty size; echo $TERM; sleep 1000\n'), idempotency_key: 'k' }
    for (let i = 0; i < 2; i++) expect((await fleet.api('POST', path, once)).status).toBe(200)
    await readUntil(session, '33 99\r\nxterm\r\n')
    await fleet.api('POST', path, { session, write: base64('\x03'), rows: 10, columns: 20 })
    await fleet.api('POST', path, { session, write: base64('stty size; exit 3\n') })
    expect((await readUntil(session, '10 20\r\n')).split('33 99\r\n')).toHaveLength(2)
    const end = await fleet.api('POST', path, { session, after: 1_000_000, wait_seconds: 5 })
    expect(end.body).toMatchObject({ has_ended: true, exit_code: 3, output: '' })
  })

  test('takes all that it has started along when it is hung up', async () => {
    const session = await open()
    const write = base64('(setsid sleep 1001 &) ; nohup sleep 1002 & trap "" HUP; echo ready-$((1+1))\n')
    await fleet.api('POST', path, { session, write })
    await readUntil(session, 'ready-2')
    expect(marked(`SKEIN_RUN=${session}`).length).toBeGreaterThan(2)
    const { body } = await fleet.api('POST', path, { session, end: true })
    expect([body.has_ended, marked(`SKEIN_RUN=${session}`)]).toEqual([true, []])
    expect((await fleet.api('POST', path, { session })).status).toBe(404)
  })

  test('is for admins, each their own, and four at a time', async () => {
    const sessions = [await open(), await open(), await open(), await open()]
    const fifth = await fleet.api('POST', path, {})
    expect([fifth.status, fifth.body.error.details[0].code]).toEqual([409, 'too_many_shells'])
    for (const [name, role] of [
      ['olga', 'operator'],
      ['anna', 'admin'],
    ] as const) {
      const token = await fleet.tokenFor(name, role)
      await fleet.enter(name, token)
      await fleet.online('local')
      const { status, body } = await fleet.api('POST', path, { session: sessions[0] }, token)
      expect([name, status, body.error.code]).toEqual([name, 403, 'forbidden'])
      expect(body.error.message).toContain(role === 'admin' ? 'not yours' : 'role operator')
    }
    const sneaky = await fleet.api('POST', path, { session: sessions[0], by: 'anna' })
    expect(sneaky.status).toBe(400)
    for (const session of sessions) await fleet.api('POST', path, { session, end: true })
  })

  test('ends with the daemon, also when that is killed, and who reads is told', async () => {
    const session = await open()
    const waits = fleet.cli(['workload', 'shell', 'web'], {
      input: 'echo begun; trap "" HUP; sleep 1003\nsleep 1003\nsleep 1003\n',
    })
    await fleet.api('POST', path, { session, write: base64('nohup sleep 1004 & echo ready-$((1+1))\n') })
    await readUntil(session, 'ready-2')
    await eventually('the other one is in use', () => spawnSync('pgrep', ['-xf', 'sleep 1003']).status === 0)
    fleet.kill('device local')
    await eventually('nothing is left of it', () => marked(`SKEIN_RUN=${session}`).length === 0)
    const { code, stderr } = await waits
    expect([code, stderr]).toEqual([3, expect.stringContaining('has ended, or the device')])
    // One that is open when the installation ends: what is left then, it says itself.
    await fleet.online('local')
    const last = await eventually('a shell', async () => (await fleet.api('POST', path, {})).body.session as string | undefined)
    await fleet.api('POST', path, { session: last, write: base64('trap "" HUP; (setsid sleep 1005 &); echo ready-$((1+1))\n') })
    await readUntil(last, 'ready-2')
  })
})

test('a device lets nobody in as long as its setting does not say so', async () => {
  const fleet = await startFleet()
  try {
    const { code, stderr } = await fleet.cli(['workload', 'shell', 'web'], { input: 'exit\n' })
    expect([code, stderr]).toEqual([3, expect.stringContaining('remote_shell (SKEIN_REMOTE_SHELL=true)')])
    const { status, body } = await fleet.api('POST', path, {})
    expect([status, body.error.code, body.error.details[0].code]).toEqual([403, 'forbidden', 'remote_shell_off'])
  } finally {
    await fleet.close()
  }
})
