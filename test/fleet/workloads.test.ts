import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { collect, isAlive, plainEnv } from '../harness/installation.ts'
import { type LoneDevice, linesOf, startLoneDevice } from '../harness/lone-device.ts'

const program = fileURLToPath(new URL('../../bin/skein', import.meta.url))
let device: LoneDevice
beforeEach(async () => {
  device = await startLoneDevice()
})
afterEach(async () => {
  await device.close()
})

const witness = (name = 'witness'): string => join(device.root, name)
/** Writes a line to the witness, and then does something. */
const sign = (then = '', line = '$$'): string[] => ['sh', '-c', `echo ${line} >>"$0"; ${then}`, witness()]

describe('run modes', () => {
  test('forever starts again after a clean exit too, and is never completed', async () => {
    device.write([{ name: 'steady', command: sign('exit 0'), restart_delay: 0.05 }])
    expect(await device.apply()).toMatchObject({ added: ['steady'] })
    await eventually('five runs', () => linesOf(witness()).length >= 5)
    const { state, failures, runs } = await device.get('steady')
    expect(['starting', 'running', 'backoff']).toContain(state)
    expect(failures).toBe(0)
    expect(runs.at(-1)).toMatchObject({ cause: 'start', state: 'succeeded', exit_code: 0 })
  })

  test('forever with on-failure is completed at exit 0', async () => {
    const once = `if [ -e "$0.2" ]; then exit 0; else touch "$0.2"; exit 7; fi`
    device.write([{ name: 'once', command: sign(once), restart: { policy: 'on-failure', delay_seconds: 0.05 } }])
    await device.apply()
    const one = await device.when('completed', 'once', ({ state }) => state === 'completed')
    expect(one.runs.map((run) => run.exit_code)).toEqual([0, 7])
    expect(linesOf(witness())).toHaveLength(2)
  })

  test('n_times ends when max_runs is reached', async () => {
    device.write([{ name: 'three', run_mode: 'n_times', max_runs: 3, restart_delay: 0.05, command: sign() }])
    await device.apply()
    expect(await device.when('completed', 'three', ({ state }) => state === 'completed')).toMatchObject({ run_count: 3 })
    expect(linesOf(witness())).toHaveLength(3)
  })

  test('w5: a script that fails every time ends failed, with its exit codes, durations and what it said', async () => {
    const command = sign('echo "no such pump" >&2; exit 3')
    device.write([{ name: 'failing', run_mode: 'n_times', max_runs: 3, restart_delay: 0.05, command }])
    await device.apply()
    const one = await device.when('failed', 'failing', ({ state }) => state === 'failed')
    expect(one).toMatchObject({ run_count: 3, last_exit_code: 3, reason: expect.stringContaining('all 3 runs failed') })
    expect(one.last_error).toContain('no such pump')
    expect(one.runs.map((run) => [run.state, run.exit_code])).toEqual(Array(3).fill(['failed', 3]))
    expect(one.runs.every((run) => typeof run.duration_seconds === 'number')).toBe(true)
  })

  test('w18: a schedule fires once for each slot, and its runs are counted and remembered', async () => {
    device.write([{ name: 'tick', run_mode: 'schedule', schedule: '* * * * * *', command: sign('', '$SKEIN_SLOT') }])
    await device.apply()
    await eventually('three firings', () => linesOf(witness()).length >= 3)
    const slots = linesOf(witness())
    expect(new Set(slots).size).toBe(slots.length)
    const one = await device.get('tick')
    expect(one.run_count).toBeGreaterThanOrEqual(3)
    expect(one.runs[0]).toMatchObject({ cause: 'firing', state: expect.stringMatching(/succeeded|running|accepted/) })
    expect(one.next_at).not.toBeNull()
  })

  test('a schedule skips, queues or replaces what overlaps, as it says', async () => {
    const slow = (name: string, overlap: string) => ({
      ...{ name, overlap, run_mode: 'schedule', schedule: '* * * * * *' },
      command: ['sh', '-c', 'echo $$ begins >>"$0"; sleep 1.6; echo $$ ends >>"$0"', witness(name)],
    })
    device.write([slow('skipping', 'skip'), slow('queueing', 'queue'), slow('replacing', 'replace')])
    await device.apply()
    await eventually(
      'they have fired',
      () => linesOf(witness('queueing')).length >= 6 && linesOf(witness('replacing')).length >= 3,
    )
    for (const name of ['skipping', 'queueing']) {
      const words = linesOf(witness(name)).map((line) => line.split(' ')[1])
      expect(
        words.every((word, i) => word === (i % 2 === 0 ? 'begins' : 'ends')),
        `${name}: never two at a time`,
      ).toBe(true)
    }
    expect(linesOf(witness('replacing')).every((line) => line.endsWith('begins'))).toBe(true)
    const said = (await device.records('skipping')).filter(([, , stream]) => stream === 's').map(([, , , text]) => String(text))
    expect(said.some((text) => text.includes('is skipped: the run before it had not ended'))).toBe(true)
  })
})

describe('w7: a crash', () => {
  test('backs off, and ends in a crash loop that says so; a start by hand begins anew, and so does a change', async () => {
    const restart = { delay_seconds: 0.05, crash_loop: { starts: 4, within_seconds: 30 } }
    device.write([{ name: 'crasher', command: sign('exit 9'), restart }])
    await device.apply()
    const looped = await device.when('crash loop', 'crasher', ({ state }) => state === 'crash_loop')
    expect(looped.reason).toContain('4 runs in a row failed')
    expect(linesOf(witness())).toHaveLength(4)
    const starts = looped.runs.map((run) => Date.parse(run.started_at ?? '')).reverse()
    const waits = starts.slice(1).map((at, i) => at - (starts[i] ?? 0))
    expect(waits[2] ?? 0, `each wait is longer: ${waits}`).toBeGreaterThan(waits[0] ?? 0)

    await device.ask('start', { workload: 'crasher' })
    await device.when('crash loop again', 'crasher', ({ state, run_count }) => state === 'crash_loop' && run_count === 8)
    device.write([{ name: 'crasher', command: sign('exec sleep 1000'), restart }])
    expect(await device.apply()).toMatchObject({ restarted: ['crasher'] })
    expect(await device.when('running', 'crasher', ({ state }) => state === 'running')).toMatchObject({ failures: 0 })
  })
})

describe('w6, kill -9 of the daemon', () => {
  test('stops no workload; the next adopts it, collects exits, keeps the counts and loses no output', async () => {
    const counting = `i=0; while [ ! -e "$0.go" ]; do echo line $i; i=$((i+1)); sleep 0.01; done; echo of $i; exit 4`
    device.write([
      { name: 'service', command: ['sh', '-c', `echo $$ >>"$0"; ${counting}`, witness()], restart: { delay_seconds: 60 } },
      { name: 'done', run_mode: 'n_times', max_runs: 2, restart_delay: 0.05, command: sign('', 'done') },
    ])
    await device.apply()
    await device.when('completed', 'done', ({ state }) => state === 'completed')
    const before = await device.when('running', 'service', ({ state }) => state === 'running')
    for (let i = 0; i < 3; i++) {
      await device.kill9()
      await device.start()
      expect(await device.get('service')).toMatchObject({ state: 'running', pid: before.pid, run_count: 1 })
    }
    await device.kill9()
    writeFileSync(`${witness()}.go`, '')
    await eventually('it has ended by itself', () => !isAlive(before.pid ?? 0))
    await device.start()
    const after = await device.when('its exit is known', 'service', ({ last_exit_code }) => last_exit_code === 4)
    expect(after).toMatchObject({ state: 'backoff', run_count: 1 })
    expect(linesOf(witness()).filter((line) => line !== 'done')).toHaveLength(1)
    expect(await device.get('done')).toMatchObject({ state: 'completed', run_count: 2 })
    const out = (await device.records('service')).filter(([, , stream]) => stream === 'o').map(([, , , text]) => String(text))
    const count = Number(/^of (\d+)$/.exec(out.at(-1) ?? '')?.[1])
    const lost = count - (out.length - 1)
    // A kill between a read and its write takes that read along; of four kills hardly one falls there.
    expect(lost, `${lost} lines of ${count}`).toBeLessThanOrEqual(5)
  })

  test('does not lose what a person has stopped, nor starts it', async () => {
    device.write([{ name: 'idle', command: sign('exec sleep 1000') }])
    await device.apply()
    await eventually('it runs', () => linesOf(witness()).length === 1)
    expect(await device.ask('stop', { workload: 'idle' })).toMatchObject({ state: 'stopped' })
    await device.kill9()
    await device.start()
    expect(await device.get('idle')).toMatchObject({ state: 'stopped', pid: null })
    expect(linesOf(witness())).toHaveLength(1)
    expect(await device.ask('start', { workload: 'idle' })).toMatchObject({ state: expect.stringMatching(/starting|running/) })
    await eventually('it runs again', () => linesOf(witness()).length === 2)
  })
})

describe('w8: reload and shutdown', () => {
  test('reload tells what was added, removed, restarted and left alone, and touches nothing else', async () => {
    const sleeper = (name: string, word = name) => ({
      name,
      command: ['sh', '-c', `echo ${word} >>"$0"; exec sleep 1000`, witness()],
    })
    device.write([sleeper('a'), sleeper('b'), sleeper('c')])
    await device.apply()
    for (const name of ['a', 'b', 'c']) await device.when('running', name, ({ state }) => state === 'running')
    const { pid } = await device.get('a')
    device.write([sleeper('a'), sleeper('b', 'other'), sleeper('d')])
    expect(await device.ask('reload', { dry_run: true })).toMatchObject({ added: ['d'], removed: ['c'], restarted: ['b'] })
    expect(await device.ask('reload')).toEqual({ added: ['d'], removed: ['c'], restarted: ['b'], unchanged: ['a'], updated: [] })
    await device.when('running', 'd', ({ state }) => state === 'running')
    await eventually('b runs as it says now', () => linesOf(witness()).includes('other'))
    expect(await device.get('a')).toMatchObject({ pid, run_count: 1 })
    await eventually('c is gone', async () => (await device.ask('list')).workloads.length === 3)
    expect(linesOf(witness()).filter((line) => line === 'a')).toHaveLength(1)
    writeFileSync(join(device.folder, 'broken.yaml'), 'name: [')
    await expect(device.ask('reload')).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('broken.yaml') })
    expect(await device.get('a')).toMatchObject({ pid })
  })

  test('shutdown really ends everything, and the daemon with it', async () => {
    device.write([
      { name: 'plain', command: sign('sleep 1000') },
      { name: 'stubborn', command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'], stop_grace_seconds: 0.5 },
      { name: 'forked', command: ['sh', '-c', 'sleep 1000 & sleep 1000 & wait'] },
    ])
    await device.apply()
    for (const name of ['plain', 'stubborn', 'forked']) await device.when('running', name, ({ state }) => state === 'running')
    expect(device.processes().length).toBeGreaterThanOrEqual(5)
    const { code } = await device.cli(['local', 'shutdown'])
    expect([code, device.processes()]).toEqual([0, []])
    expect(existsSync(device.paths.socket)).toBe(false)
    await device.start()
    await device.when('it runs again', 'plain', ({ state }) => state === 'running')
  })
})

describe('w3, w4: the log of a workload', () => {
  test('a flood does not block it, and every line is there', async () => {
    const lines = 30_000
    const command = ['sh', '-c', `seq 1 ${lines}; echo done >&2; exec sleep 1000`]
    device.write([{ name: 'noisy', command }])
    await device.apply()
    await eventually(
      'all of it is written',
      async () => (await device.ask('logs', { workload: 'noisy', tail: 1 })).last >= lines + 1,
    )
    const out = (await device.records('noisy')).filter(([, , stream]) => stream === 'o').map(([, , , text]) => text)
    expect(out).toEqual(Array.from({ length: lines }, (_, i) => String(i + 1)))
    const { stdout } = await device.cli(['local', 'logs', 'noisy', '--tail', '3'])
    expect(stdout).toBe(`${lines - 1}\n${lines}\n`)
  })

  test('is rotated by size and number without losing a line, and tells what has gone', async () => {
    const log = { max_file_mb: 0.05, max_files: 3 }
    device.write([{ name: 'rotating', log, command: ['sh', '-c', 'seq 1 100000; exec sleep 1000'] }])
    await device.apply()
    await eventually(
      'all of it is written',
      async () => (await device.ask('logs', { workload: 'rotating', tail: 1 })).last >= 40_000,
    )
    const [first, ...rest] = await device.records('rotating')
    expect(first?.[3]).toMatchObject({ dropped: { from: 1, reason: 'rotated' } })
    const numbers = rest.flatMap(([, , stream, text]) => (stream === 'o' ? [Number(text)] : []))
    expect(numbers.at(-1)).toBe(100_000)
    expect(numbers.every((number, i) => number === (numbers[0] ?? 0) + i)).toBe(true)
    expect(first?.[3]).toMatchObject({ dropped: { lines: 100_000 - numbers.length } })
  })

  test('is followed through a kill of the daemon', async () => {
    device.write([{ name: 'talker', command: ['sh', '-c', 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done'] }])
    await device.apply()
    const following = device.cli(['local', 'logs', 'talker', '-f'], { timeoutMs: 6000 })
    await eventually('it talks', async () => (await device.ask('logs', { workload: 'talker', tail: 1 })).last > 20)
    await device.kill9()
    await device.start()
    const { stdout } = await following
    const numbers = stdout.split('\n').slice(0, -1).map(Number)
    expect(numbers.length).toBeGreaterThan(100)
    const steps = numbers.slice(1).map((number, i) => number - (numbers[i] ?? 0))
    expect(steps.filter((step) => step !== 1).length, `gaps: ${steps.filter((step) => step !== 1)}`).toBeLessThanOrEqual(1)
  })
})

describe('what a workload needs', () => {
  test('depends_on holds it back until what it needs is healthy', async () => {
    const db = ['sh', '-c', 'sleep 0.5; touch "$0"; exec sleep 1000', witness('ready')]
    device.write([
      { name: 'app', depends_on: ['db'], command: sign('exec sleep 1000', '$(test -e "$0".ready && echo late || echo early)') },
      {
        name: 'db',
        command: db,
        health: { command: ['test', '-e', witness('ready')], interval_seconds: 0.1, start_period_seconds: 20 },
      },
    ])
    await device.apply()
    expect(await device.get('app')).toMatchObject({ state: 'registered', reason: expect.stringContaining('waits for "db"') })
    await device.when('running', 'app', ({ state }) => state === 'running')
    expect(await device.get('db')).toMatchObject({ health: 'healthy' })
    expect(existsSync(witness('ready'))).toBe(true)
  })

  test('one that is unhealthy is started again, and says why', async () => {
    const health = { command: ['sh', '-c', 'echo the pump is dry; exit 1'], interval_seconds: 0.1, unhealthy_after: 2 }
    device.write([{ name: 'sick', command: sign('exec sleep 1000'), health, restart_delay: 0.05 }])
    await device.apply()
    await eventually('it was started again', () => linesOf(witness()).length >= 2)
    const { runs } = await device.get('sick')
    expect(runs.at(-1)).toMatchObject({ state: 'failed', reason: expect.stringContaining('the pump is dry') })
  })

  test('a name that is taken is refused, and nothing changes', async () => {
    device.write([{ name: 'mine', command: 'exec sleep 1000' }])
    await device.apply()
    const elsewhere = join(device.root, 'elsewhere.yaml')
    writeFileSync(elsewhere, 'name: mine\ntype: service\nrun_mode: forever\ncommand: "true"\n')
    await expect(device.ask('apply', { paths: [elsewhere] })).rejects.toMatchObject({
      details: [{ code: 'taken', field: 'name' }],
    })
    expect(await device.get('mine')).toMatchObject({ run_count: 1 })
  })

  test('a module is called with its params, in Python and in Node', async () => {
    writeFileSync(join(device.folder, 'greet.py'), 'async def run(who, times=1):\n    print("hello", who, times)\n')
    writeFileSync(join(device.folder, 'greet.mjs'), 'export const hi = async ({ who }) => console.log("hi", who)\n')
    const once = { run_mode: 'n_times', max_runs: 1, type: 'script' }
    device.write([
      { name: 'py', module: 'greet', params: { who: 'world', times: 2 }, ...once },
      { name: 'js', module: './greet', runtime: 'node', entry_point: 'hi', params: { who: 'node' }, ...once },
      { name: 'none', module: 'nothing_there', ...once },
    ])
    await device.apply()
    for (const name of ['py', 'js']) await device.when('completed', name, ({ state }) => state === 'completed')
    const texts = async (name: string) => (await device.records(name)).filter(([, , s]) => s === 'o').map(([, , , text]) => text)
    expect([await texts('py'), await texts('js')]).toEqual([['hello world 2'], ['hi node']])
    const none = await device.when('failed', 'none', ({ state }) => state === 'failed')
    expect(none).toMatchObject({ last_exit_code: 1, last_error: expect.stringContaining('there is no module "nothing_there"') })
  })
})

describe('limits', () => {
  test('w17: what takes too long is asked to end first, then killed, with all that it has started', async () => {
    const polite = `trap 'echo asked >>"$0"; exit 0' TERM; sleep 1000 & wait`
    const deaf = `trap '' TERM; sleep 1000 & while :; do sleep 0.05; done`
    const times = { run_mode: 'n_times', max_runs: 1, timeout: 0.5, stop_grace_seconds: 0.5 }
    device.write([
      { name: 'polite', command: ['sh', '-c', polite, witness()], ...times },
      { name: 'deaf', command: ['sh', '-c', deaf], ...times },
    ])
    await device.apply()
    for (const name of ['polite', 'deaf']) {
      const { runs } = await device.when('failed', name, ({ state }) => state === 'failed')
      expect(runs[0], name).toMatchObject({ state: 'timed_out', reason: 'timed out after 0.5 s' })
    }
    expect(linesOf(witness())).toEqual(['asked'])
    expect(device.processes()).toEqual([])
  })

  test('one that takes too much memory is warned of, and started again with the reason oom', async () => {
    const hog = 'import time; held = []\nwhile True:\n  held.append(bytearray(2 * 1024 * 1024)); time.sleep(0.01)'
    device.write([{ name: 'hog', command: ['python3', '-c', hog], memory_limit_mb: 48, restart_delay: 0.2 }])
    await device.apply()
    const { runs } = await device.when('started again', 'hog', ({ run_count }) => run_count >= 2)
    expect(runs.at(-1)).toMatchObject({ state: 'failed', reason: expect.stringMatching(/^oom/) })
    const { text } = await device.ask('metrics')
    expect(text).toMatch(/^skein_workload_runs\{workload="hog"\} [2-9]$/m)
  })

  test('what the device cannot enforce is refused, and nothing runs without it', async () => {
    device.write([{ name: 'nobody', user: 'no-such-user', command: sign() }])
    await expect(device.apply()).rejects.toMatchObject({
      code: 'invalid',
      details: [{ code: 'not_enforceable', field: 'nobody' }],
    })
    expect(linesOf(witness())).toEqual([])
    expect((await device.ask('list')).workloads).toEqual([])
  })

  test('output: file lets it write by itself, and its log is read all the same', async () => {
    const command = ['sh', '-c', 'seq 1 5000; echo to stderr >&2; exec sleep 1000']
    device.write([{ name: 'direct', output: 'file', command }])
    await device.apply()
    await eventually(
      'it has written',
      async () => (await device.cli(['local', 'logs', 'direct', '-n', '1'])).stdout === 'to stderr\n',
    )
    const texts = (await device.records('direct')).map(([, , , text]) => text)
    expect(texts).toEqual([...Array.from({ length: 5000 }, (_, i) => String(i + 1)), 'to stderr'])
    await device.kill9()
    await device.start()
    expect(await device.get('direct')).toMatchObject({ state: 'running', run_count: 1 })
  })
})

describe('what ended while no daemon was there', () => {
  test('has ended when it did: its duration is true, and what was due since then fires', async () => {
    const slow = ['sh', '-c', 'echo $SKEIN_SLOT >>"$0"; exec sleep 2', witness()]
    device.write([{ name: 'slow', run_mode: 'schedule', schedule: '*/4 * * * * *', command: slow }])
    await device.apply()
    await eventually('it has fired', () => linesOf(witness()).length === 1)
    await device.kill9()
    const first = Date.parse(linesOf(witness())[0] ?? '')
    // Its run is over, and the next firing was due.
    await eventually('the next firing is past', () => Date.now() > first + 5500)
    await device.start()
    await eventually('it fires for what was due', () => linesOf(witness()).length >= 2)
    expect(Date.parse(linesOf(witness())[1] ?? '')).toBe(first + 4000)
    const { runs } = await device.get('slow')
    expect(runs.at(-1)?.duration_seconds).toBeLessThan(3.5)
  })
})

describe('files that go or move', () => {
  const sleeper = (name: string): string => `name: ${name}\ntype: service\nrun_mode: forever\ncommand: exec sleep 1000\n`

  test('one that is removed is empty to a reload, and is not asked for again', async () => {
    const [a, b] = [join(device.root, 'a.yaml'), join(device.root, 'b.yaml')]
    writeFileSync(a, sleeper('a'))
    writeFileSync(b, sleeper('b'))
    await device.ask('apply', { paths: [a, b] })
    rmSync(a)
    expect(await device.ask('reload')).toMatchObject({ added: [], removed: ['a'], unchanged: ['b'] })
    expect(await device.ask('reload')).toMatchObject({ added: [], removed: [], unchanged: ['b'] })
    renameSync(b, a)
    expect(await device.ask('apply', { paths: [a] })).toMatchObject({ updated: ['b'], restarted: [], removed: [] })
    expect(await device.get('b')).toMatchObject({ run_count: 1 })
  })
})

test('a data folder may be named relative to where the daemon starts, and a second daemon is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-relative-'))
  const run = (...args: string[]) =>
    collect(
      '/bin/sh',
      ['-c', 'cd "$1"; shift; exec "$@"', 'sh', folder, process.execPath, program, ...args, '--data', 'here'],
      plainEnv(),
    )
  const daemon = run('device')
  try {
    writeFileSync(join(folder, 'one.yaml'), 'name: one\ntype: service\nrun_mode: forever\ncommand: exec sleep 1000\n')
    await eventually('it is applied', async () => (await run('local', 'apply', 'one.yaml')).code === 0)
    await eventually('it runs', async () => /^one +running/m.test((await run('local', 'list')).stdout))
    const second = await run('device')
    expect([second.code, second.stderr]).toEqual([78, expect.stringContaining('runs already')])
  } finally {
    await run('local', 'shutdown')
    expect((await daemon).code).toBe(79)
    rmSync(folder, { recursive: true, force: true })
  }
})
