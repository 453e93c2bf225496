import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { eventually } from '../harness/eventually.ts'
import { type Installation, isAlive, startInstallation } from '../harness/installation.ts'
import { linesOf } from '../harness/lone-device.ts'

let fleet: Installation
let folder: string
beforeAll(async () => {
  fleet = await startInstallation()
  await fleet.online('local')
  folder = join(fleet.root, 'workloads')
  mkdirSync(folder)
  writeFileSync(
    join(folder, 'all.yaml'),
    stringify({
      workloads: [
        {
          ...{ name: 'ticker', type: 'service', run_mode: 'forever', env: { GREETING: 'hello' } },
          command: ['sh', '-c', 'echo $$ >>"$0"; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.05; done', witness()],
        },
        {
          name: 'job',
          type: 'script',
          run_mode: 'n_times',
          max_runs: 1,
          command: 'echo "$GREETING from $SKEIN_WORKLOAD"; exit 6',
        },
      ],
    }),
  )
  const applied = await fleet.cli(['local', 'apply', folder])
  expect([applied.code, applied.stderr]).toEqual([0, ''])
  await eventually('the controller has heard of it', async () => (await get('ticker')).body.state === 'running')
})
afterAll(async () => {
  await fleet.close()
})

const witness = (): string => join(fleet.root, 'witness')
const get = (workload: string) => fleet.api('GET', `/devices/local/workloads/${workload}`)

describe('w1: workloads of a device, asked for from afar', () => {
  test('are listed and shown as the device reports them', async () => {
    const { body } = await fleet.answered('GET', '/workloads?device=local')
    expect(body.workloads.map((one: { name: string }) => one.name)).toEqual(['job', 'ticker'])
    expect((await get('job')).body).toMatchObject({ device: 'local', state: 'failed', last_exit_code: 6, origin: 'local' })
    const { stdout } = await fleet.cli(['workload', 'list'])
    expect(stdout).toContain('ticker')
  })

  test('stop, start and restart over REST and by the CLI, and it is on record who did it', async () => {
    const client = await fleet.mqtt()
    const audits: Record<string, unknown>[] = []
    client.on('message', (_, payload) => audits.push(...JSON.parse(payload.toString())))
    await client.subscribeAsync('skein/v1/default/event/audit')
    const { pid } = (await get('ticker')).body
    const stopped = await fleet.api('POST', '/devices/local/workloads/ticker/stop', {})
    expect([stopped.status, stopped.body.state]).toEqual([200, 'stopped'])
    expect(isAlive(pid)).toBe(false)
    expect((await fleet.cli(['workload', 'start', 'ticker'])).code).toBe(0)
    await eventually('it runs again', async () => (await get('ticker')).body.state === 'running')
    const { code, stdout } = await fleet.cli(['workload', 'restart', '--json', 'ticker'])
    expect([code, JSON.parse(stdout).name]).toEqual([0, 'ticker'])
    await eventually('three processes, one after the other', () => linesOf(witness()).length === 3)
    await eventually('each is on record', () => audits.length >= 3)
    expect(audits).toContainEqual(
      expect.objectContaining({
        type: 'skein.audit.workload_stop',
        data: expect.objectContaining({ subject: 'admin', device: 'local', workload: 'ticker' }),
      }),
    )
    await client.endAsync(true)
  })

  test('logs are kept on the device, and sent only while somebody wants them', async () => {
    const client = await fleet.mqtt()
    let sent = 0
    client.on('message', () => {
      sent++
    })
    await client.subscribeAsync('skein/v1/default/device/local/log/ticker')
    const last = async (): Promise<number> =>
      (await fleet.answered('GET', '/devices/local/workloads/ticker/logs?tail=1')).body.last
    const before = await last()
    await eventually('it writes', async () => (await last()) > before + 20)
    expect(sent, 'nobody follows it').toBe(0)
    const following = fleet.cli(['workload', 'logs', '-f', '--json', 'ticker'], { timeoutMs: 4000 })
    await eventually('it is sent', () => sent > 3)
    expect((await following).stdout).not.toBe('')
    await client.endAsync(true)
  })

  test('logs of a span of time are those that were written in it', async () => {
    const of = async (...words: string[]): Promise<[seq: number, at: number, stream: string, text: string][]> => {
      const { code, stdout, stderr } = await fleet.cli(['workload', 'logs', '--json', ...words, 'ticker'])
      expect([code, stderr]).toEqual([0, ''])
      return JSON.parse(stdout)
    }
    const iso = (ms: number): string => new Date(ms).toISOString()
    const all = await of('--after', '0')
    expect(all.length).toBeGreaterThan(30)
    const [from, to] = [all[10]?.[1] ?? 0, all[25]?.[1] ?? 0]
    expect(await of('--since', iso(from), '--until', iso(to))).toEqual(all.filter(([, at]) => at >= from && at < to))
    expect(await of('--until', iso(all[0]?.[1] ?? 0))).toEqual([])
    expect((await of('--since', '1m'))[0]).toEqual(all[0])
    const wrong = await fleet.cli(['workload', 'logs', '--since', 'yesterday', 'ticker'])
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('"yesterday" is no time')])
  })

  test('logs come in pages, and follow as they are written, with no gap', async () => {
    const page = await fleet.answered('GET', '/devices/local/workloads/ticker/logs?tail=3')
    expect(page.body.records).toHaveLength(3)
    const { stdout } = await fleet.cli(['workload', 'logs', '-f', '--json', 'ticker'], { timeoutMs: 4000 })
    const seqs = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line)[0] as number)
    expect(seqs.length).toBeGreaterThan(20)
    expect(seqs.every((seq, i) => seq === (seqs[0] ?? 0) + i)).toBe(true)
  })

  test('the last runs are shown as the device has them', async () => {
    const { body } = await fleet.answered('GET', '/devices/local/workloads/job/history')
    expect(body.runs).toMatchObject([{ workload: 'job', cause: 'start', state: 'failed', exit_code: 6 }])
    const { code, stdout } = await fleet.cli(['workload', 'history', 'ticker', '--limit', '1'])
    expect([code, stdout.split('\n')[0]?.split(/ +/).slice(0, 4)]).toEqual([0, ['RUN', 'CAUSE', 'STATE', 'EXIT']])
    expect(stdout.split('\n')).toHaveLength(3)
    const json = await fleet.cli(['workload', 'history', '--json', 'job'])
    expect(JSON.parse(json.stdout)).toEqual(body.runs)
  })

  test('exec runs in the environment and folder of a workload, streams, and passes the exit code on', async () => {
    const words = [
      'workload',
      'exec',
      '--device',
      'local',
      'ticker',
      '--',
      'sh',
      '-c',
      'echo $GREETING; pwd; echo bad >&2; exit 9',
    ]
    const { code, stdout, stderr } = await fleet.cli(words)
    expect([code, stdout, stderr]).toEqual([9, `hello\n${folder}\n`, 'bad\n'])
  })

  test('reload touches only what has changed', async () => {
    const { body: before } = await get('ticker')
    writeFileSync(join(folder, 'more.yaml'), 'name: more\ntype: service\nrun_mode: forever\ncommand: exec sleep 1000\n')
    const { body } = await fleet.answered('POST', '/devices/local/reload')
    expect(body).toMatchObject({ added: ['more'], removed: [], restarted: [], unchanged: ['ticker', 'job'] })
    expect((await get('ticker')).body.pid).toBe(before.pid)
  })

  test('is for those who may: a viewer looks, and is refused the rest', async () => {
    const token = await fleet.tokenFor('vera', 'viewer')
    await fleet.enter('vera', token)
    await fleet.online('local')
    expect((await fleet.api('GET', '/devices/local/workloads/ticker', undefined, token)).status).toBe(200)
    const refused = await fleet.api('POST', '/devices/local/workloads/ticker/stop', {}, token)
    expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden'])
  })

  test('an unknown one is told with a hint, and a device that is not there is not waited for', async () => {
    const unknown = await fleet.api('POST', '/devices/local/workloads/tikcer/start', {})
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'not_found'])
    expect(unknown.body.error.message).toContain('did you mean "ticker"?')
    expect((await fleet.api('POST', '/devices/nowhere/workloads/ticker/start', {})).status).toBe(404)
  })
})

describe('a task with payload.workload', () => {
  test('runs a workload of the device once, in a run of its own', async () => {
    const id = await fleet.submit({ payload: { workload: 'job', env: { GREETING: 'hi' } }, target: { device: 'local' } })
    expect(await fleet.ended(id)).toMatchObject({ state: 'failed', exit_code: 6 })
    expect((await fleet.output(id)).o.toString()).toBe('hi from job\n')
    expect((await get('job')).body.run_count).toBe(1)
  })

  test('that cannot be prepared ends rejected, and says why', async () => {
    const files = [{ path: 'data', content: 'text' }]
    const filed = join(folder, 'filed.yaml')
    const spec = { name: 'filed', type: 'script', run_mode: 'schedule', schedule: '0 0 1 1 *', command: 'mkdir data', files }
    writeFileSync(filed, stringify(spec))
    expect((await fleet.cli(['local', 'apply', folder])).code).toBe(0)
    mkdirSync(join(fleet.data, 'devices', 'local', 'workloads', 'filed', 'data', 'deep'), { recursive: true })
    const id = await fleet.submit({ payload: { workload: 'filed' }, target: { device: 'local' } })
    expect(await fleet.ended(id)).toMatchObject({ state: 'rejected', reason: expect.stringContaining('cannot_start') })
    const next = await fleet.submit({ payload: { command: ['true'] }, target: { device: 'local' } })
    expect(await fleet.ended(next)).toMatchObject({ state: 'succeeded' })
    rmSync(filed)
    expect((await fleet.cli(['local', 'apply', folder])).code).toBe(0)
  })

  test('is rejected by a device that has no such workload', async () => {
    const id = await fleet.submit({ payload: { workload: 'nothing' }, target: { device: 'local' } })
    expect(await fleet.ended(id)).toMatchObject({ state: 'rejected', reason: expect.stringContaining('no_such_workload') })
  })
})

test('down ends skein up and all that it runs', async () => {
  const other = await startInstallation()
  await other.online('local')
  writeFileSync(join(other.root, 'one.yaml'), 'name: one\ntype: service\nrun_mode: forever\ncommand: exec sleep 1000\n')
  expect((await other.cli(['local', 'apply', join(other.root, 'one.yaml')])).code).toBe(0)
  await eventually('it runs', () => other.runProcesses().length > 0)
  const { code, stdout } = await other.cli(['down'])
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^ended: skein up, pid \d+$/m)])
  expect(other.runProcesses()).toEqual([])
  expect((await other.cli(['down'])).code).toBe(4)
  await other.close()
})

test('workloads go on through a kill of hub and device, and are reported again', async () => {
  const { body: before } = await get('ticker')
  fleet.kill('hub')
  fleet.kill('device local')
  await eventually(
    'it is reported as it was',
    async () => {
      const { status, body } = await get('ticker')
      return status === 200 && body.device_state === 'online' && body.pid === before.pid && body.state === 'running'
    },
    30_000,
  )
  expect(readFileSync(witness(), 'utf8').split('\n').slice(0, -1).at(-1)).toBe(String(before.pid))
})
