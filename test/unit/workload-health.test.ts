import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { statOf } from '../../device/runners/process-table.ts'
import { startChecks } from '../../device/workloads/health/checks.ts'
import { judge, type ProbeResult, unknownHealth } from '../../device/workloads/health/judge.ts'
import { createProbe, type Probe } from '../../device/workloads/health/probe.ts'
import { createPulse } from '../../device/workloads/health/pulse.ts'
import { runCommand } from '../../device/workloads/health/run-command.ts'
import { Health } from '../../schemas/workload.ts'
import { eventually } from '../harness/eventually.ts'

const closers: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const pass: ProbeResult = { kind: 'pass' }
const fail: ProbeResult = { kind: 'fail', reason: 'no' }
const rules = (over: object = {}) => Health.parse({ tcp: 'localhost:1', ...over })

const process_ = { env: { PATH: process.env['PATH'] ?? '' }, cwd: tmpdir() }
const probeOf = (health: object): Probe =>
  createProbe(Health.parse(health), { process: process_, lastWroteMono: () => null, startedMono: 0, clock: systemClock })
const ask = (health: object, signal = new AbortController().signal) => probeOf(health)(signal)

describe('judge()', () => {
  const judged = (results: readonly ProbeResult[], over: object, now = 1000) =>
    results.reduce((memory, result) => judge(memory, result, rules(over), now, 0), unknownHealth)

  test('asks for passes and failures in a row', () => {
    expect(judged([pass], {}).health).toBe('healthy')
    expect(judged([pass, fail, pass], { healthy_after: 2 }).health).toBe('unknown')
    expect(judged([pass, pass], { healthy_after: 2 }).health).toBe('healthy')
    expect(judged([fail, fail], {}).health).toBe('unknown')
    expect(judged([fail, fail, fail], {})).toEqual({ health: 'unhealthy', reason: 'no', passes: 0, failures: 3 })
    expect(judged([fail, fail, pass, fail, fail], {}).health).toBe('healthy')
  })

  test('brings health back by passes in a row, and keeps the state in between', () => {
    expect(judged([fail, fail, fail, pass], { healthy_after: 2 }).health).toBe('unhealthy')
    expect(judged([fail, fail, fail, pass, fail, pass], { healthy_after: 2 }).health).toBe('unhealthy')
    expect(judged([fail, fail, fail, pass, pass], { healthy_after: 2 })).toMatchObject({ health: 'healthy', reason: null })
  })

  test('counts no failure in the start period, but a pass', () => {
    const over = { start_period_seconds: 2, unhealthy_after: 1 }
    expect(judged([fail, fail, fail], over, 1999)).toMatchObject({ health: 'unknown', failures: 0, reason: 'no' })
    expect(judged([fail, pass], over, 1999).health).toBe('healthy')
    expect(judged([fail], over, 2000).health).toBe('unhealthy')
  })

  test('learns nothing from a check that says nothing', () => {
    expect(judged([fail, { kind: 'none' }, fail], {})).toMatchObject({ health: 'unknown', failures: 2 })
  })
})

describe('createProbe() http', () => {
  const serve = async (answer: RequestListener): Promise<string> => {
    const server = createServer(answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => {
      server.closeAllConnections()
      server.close()
    })
    // A server that listens on a port has an address of that kind.
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test('passes for 200 to 399 without following, fails for the rest and says the status', async () => {
    const asked: string[] = []
    const at = await serve((request, response) => {
      asked.push(request.url ?? '')
      const status = Number(request.url?.slice(1, 4))
      response.writeHead(status, { location: '/500' }).end('x'.repeat(100_000))
    })
    for (const status of [200, 204, 302, 399]) expect(await ask({ http: `${at}/${status}` })).toEqual(pass)
    for (const status of [400, 404, 503])
      expect(await ask({ http: `${at}/${status}?key=secret` })).toEqual({
        kind: 'fail',
        reason: `${at}/${status} answers with status ${status}`,
      })
    expect(asked).toHaveLength(7)
  })

  test('passes as soon as there is a status, however long the body is', async () => {
    const at = await serve((_, response) => {
      response.writeHead(200)
      response.write('and then nothing')
    })
    expect(await ask({ http: at })).toEqual(pass)
  })

  test('fails where nobody listens, where the connection is cut, and ends when it is aborted', async () => {
    const at = await serve((request) => {
      if (request.url === '/cut') request.socket.destroy()
    })
    expect(await ask({ http: `${at}/cut` })).toMatchObject({ kind: 'fail', reason: expect.stringContaining('hang up') })
    expect(await ask({ http: 'http://127.0.0.1:1/' })).toMatchObject({ reason: expect.stringContaining('ECONNREFUSED') })
    const abort = new AbortController()
    const asking = ask({ http: at }, abort.signal)
    abort.abort()
    expect(await asking).toMatchObject({ kind: 'fail' })
  })
})

describe('createProbe() tcp', () => {
  test('passes where somebody listens, on any kind of address, and fails where nobody does', async () => {
    const server = createTcpServer((socket) => socket.on('error', () => socket.destroy()))
    await new Promise<void>((resolve) => server.listen(0, resolve))
    closers.push(() => void server.close())
    // A server that listens on a port has an address of that kind.
    const { port } = server.address() as AddressInfo
    expect(await ask({ tcp: `127.0.0.1:${port}` })).toEqual(pass)
    expect(await ask({ tcp: `localhost:${port}` })).toEqual(pass)
    expect(await ask({ tcp: '127.0.0.1:1' })).toMatchObject({ reason: expect.stringContaining('ECONNREFUSED') })
    expect(await ask({ tcp: '127.0.0.1:70000' })).toMatchObject({ reason: '127.0.0.1:70000: there is no such port' })
    expect(await ask({ tcp: `127.0.0.1:${port}` }, AbortSignal.abort())).toMatchObject({ kind: 'fail' })
  })
})

describe('createProbe() command', () => {
  test('passes for exit code 0, with the environment and folder of the workload', async () => {
    expect(await ask({ command: 'test "$(pwd)" = "$WHERE" && test -z "$HOME"' })).toMatchObject({ kind: 'fail' })
    const probe = createProbe(Health.parse({ command: 'test "$(pwd)" = "$WHERE" && test -z "$HOME"' }), {
      process: { env: { PATH: process.env['PATH'] ?? '', WHERE: '/' }, cwd: '/' },
      lastWroteMono: () => null,
      startedMono: 0,
      clock: systemClock,
    })
    expect(await probe(new AbortController().signal)).toEqual(pass)
  })

  test('says how it ended and what it wrote last', async () => {
    expect(await ask({ command: 'echo a line; echo sick >&2; exit 3' })).toEqual({
      kind: 'fail',
      reason: expect.stringMatching(/^the check ended with exit code 3: (a line\nsick|sick\na line)$/),
    })
    expect(await ask({ command: ['false'] })).toEqual({ kind: 'fail', reason: 'the check ended with exit code 1' })
    expect(await ask({ command: 'kill -9 $$' })).toEqual({ kind: 'fail', reason: 'the check was ended by SIGKILL' })
    const long = await ask({ command: 'seq 1 100000; echo end; exit 1' })
    expect(long).toMatchObject({ reason: expect.stringMatching(/end$/) })
    expect(JSON.stringify(long).length).toBeLessThan(800)
  })

  test('fails for a program or folder that is not there', async () => {
    expect(await ask({ command: ['no-such-program'] })).toMatchObject({
      reason: expect.stringMatching(/^the check could not be run: .*ENOENT/),
    })
    expect(await ask({ command: ['./nowhere/at/all'] })).toMatchObject({ kind: 'fail' })
  })
})

describe('runCommand()', () => {
  const folderOf = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-check-'))
    closers.push(() => rmSync(folder, { recursive: true }))
    return folder
  }
  const isGone = (path: string) => () => statOf(Number(readFileSync(path, 'utf8')))?.isAlive !== true

  test('kills the whole group and session when it is aborted', async () => {
    const cwd = folderOf()
    const abort = new AbortController()
    const line =
      'trap "" TERM; (trap "" TERM; sleep 1000 & echo $! > child; wait) & echo $$ > parent.new; mv parent.new parent; wait'
    const running = runCommand(line, { ...process_, cwd, clock: systemClock, signal: abort.signal })
    await eventually(
      'both to run',
      () => existsSync(join(cwd, 'parent')) && readFileSync(join(cwd, 'child'), 'utf8').endsWith('\n'),
    )
    abort.abort()
    expect(await running).toMatchObject({ exitCode: null, exitSignal: 'SIGKILL' })
    await eventually('the process to be gone', isGone(join(cwd, 'child')))
    await eventually('the process to be gone', isGone(join(cwd, 'parent')))
  })

  test('leaves nothing behind of a command that has ended, and does not wait for it', async () => {
    const cwd = folderOf()
    const end = await runCommand('sleep 1000 & echo $! > child; echo done', {
      ...process_,
      cwd,
      clock: systemClock,
      signal: new AbortController().signal,
    })
    expect(end).toEqual({ exitCode: 0, exitSignal: null, failure: null, output: 'done' })
    await eventually('the process to be gone', isGone(join(cwd, 'child')))
  })
})

describe('createProbe() log', () => {
  test('says nothing before the first line is due, then passes while there are lines', async () => {
    let [now, last]: [number, number | null] = [1000, null]
    const clock = { ...systemClock, mono: () => now }
    const health = Health.parse({ log: { within_seconds: 10 } })
    const probe = createProbe(health, { process: process_, lastWroteMono: () => last, startedMono: 1000, clock })
    const look = () => probe(new AbortController().signal)
    expect(await look()).toEqual({ kind: 'none' })
    now = 11_001
    expect(await look()).toEqual({ kind: 'fail', reason: 'nothing was written for 10 s' })
    last = 11_000
    expect(await look()).toEqual(pass)
    now = 21_000
    expect(await look()).toEqual(pass)
    now = 21_001
    expect(await look()).toMatchObject({ kind: 'fail' })
  })

  test('createPulse() takes any output, or the text that is asked for, also in two pieces', () => {
    let now = 0
    const any = createPulse(undefined, () => now)
    expect(any.lastMono()).toBeNull()
    now = 5
    any.take(Buffer.from('x'))
    expect(any.lastMono()).toBe(5)
    const tick = createPulse('tick ✓', () => now)
    const text = Buffer.from('a tick ✓ and a tick')
    tick.take(Buffer.from('tic k'))
    expect(tick.lastMono()).toBeNull()
    for (const byte of text) tick.take(Buffer.from([byte]))
    expect(tick.lastMono()).toBe(5)
    now = 7
    tick.take(Buffer.from(' '))
    expect(tick.lastMono()).toBe(5)
    tick.take(Buffer.from('✓ and'))
    expect(tick.lastMono()).toBe(7)
    now = 9
    tick.take(Buffer.from(' k ✓'))
    expect(tick.lastMono()).toBe(7)
    tick.take(Buffer.from('…tick ✓…'))
    expect(tick.lastMono()).toBe(9)
  })
})

describe('startChecks()', () => {
  const watch = (probe: Probe, over: object) => {
    const seen: string[] = []
    const checks = startChecks({
      health: rules(over),
      probe,
      clock: systemClock,
      startedMono: systemClock.mono(),
      changed: (health, reason) => seen.push(`${health} ${reason}`),
    })
    closers.push(() => checks.close())
    return { checks, seen }
  }

  test('looks soon after the start, long before the first interval is over', async () => {
    const { seen, checks } = watch(async () => pass, { interval_seconds: 3600 })
    await eventually('what is told', () => isDeepStrictEqual(seen, ['healthy null']))
    expect(checks.memory().passes).toBe(1)
  })

  test('tells each change once, and comes back', async () => {
    let result: ProbeResult = pass
    const { seen } = watch(async () => result, { interval_seconds: 0.01, unhealthy_after: 2 })
    await eventually('what is told', () => isDeepStrictEqual(seen, ['healthy null']))
    result = fail
    await eventually('what is told', () => isDeepStrictEqual(seen, ['healthy null', 'unhealthy no']))
    result = pass
    await eventually('what is told', () => isDeepStrictEqual(seen, ['healthy null', 'unhealthy no', 'healthy null']))
  })

  test('counts no failure before its interval, though it looks', async () => {
    let looks = 0
    const probe: Probe = async () => {
      looks++
      return fail
    }
    const { checks } = watch(probe, { interval_seconds: 3600, unhealthy_after: 1 })
    await eventually('a second look', () => looks > 1)
    expect(checks.memory()).toEqual(unknownHealth)
  })

  test('ends a check that takes too long, never makes two at a time, and takes a throw for a failure', async () => {
    let [asking, most, looks] = [0, 0, 0]
    const probe: Probe = async (signal) => {
      most = Math.max(most, ++asking)
      if (++looks > 2) {
        asking--
        throw new Error('broken')
      }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      asking--
      return pass
    }
    const { seen, checks } = watch(probe, { interval_seconds: 0.01, timeout_seconds: 0.05, unhealthy_after: 2 })
    await eventually('what is told', () => isDeepStrictEqual(seen, ['unhealthy no answer within 0.05 s']))
    await eventually('the throw to be known', () => checks.memory().reason === 'broken')
    expect(most).toBe(1)
  })

  test('close() ends the running check and waits for it, and nothing is told afterwards', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-check-'))
    const probe = createProbe(Health.parse({ command: 'echo $$ > pid.new; mv pid.new pid; sleep 1000' }), {
      process: { ...process_, cwd: folder },
      lastWroteMono: () => null,
      startedMono: 0,
      clock: systemClock,
    })
    const { checks, seen } = watch(probe, { interval_seconds: 0.01, unhealthy_after: 1 })
    await eventually('the check to run', () => existsSync(join(folder, 'pid')))
    await checks.close()
    await checks.close()
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
    await eventually('the check to be gone', () => statOf(pid)?.isAlive !== true)
    expect(seen).toEqual([])
    rmSync(folder, { recursive: true })
  })

  test('close() is allowed in the middle of a change', async () => {
    let looks = 0
    const checks = startChecks({
      health: rules({ interval_seconds: 0.01 }),
      probe: async () => {
        looks++
        return pass
      },
      clock: systemClock,
      startedMono: systemClock.mono(),
      changed: () => void checks.close(),
    })
    await eventually('a look', () => looks === 1)
    await checks.close()
    expect(looks).toBe(1)
  })
})
