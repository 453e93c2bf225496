import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import type { RunEnd, RunHandle, RunWatcher, StartOrder } from '../../device/runner.ts'
import { startProcessRunner } from '../../device/runners/process.ts'
import { readBootId, statOf } from '../../device/runners/process-table.ts'
import { readClaim } from '../../device/runners/run-folder.ts'
import { serveText, shimText } from '../../device/runners/shim.ts'
import type { ProcessPayload } from '../../schemas/process.ts'
import { eventually } from '../harness/eventually.ts'
import { canMount, mountSmallDisk } from '../harness/small-disk.ts'

let world: string
let runs: string
let runner: ReturnType<typeof startProcessRunner>
let watched: Watched[]

const newRunner = () => startProcessRunner({ folder: runs, clock: systemClock, log: silentLog, env: process.env, pollMs: 200 })

beforeEach(() => {
  world = mkdtempSync(join(tmpdir(), 'skein-runner-'))
  runs = join(world, 'runs')
  watched = []
  runner = newRunner()
})

afterEach(async () => {
  for (const run of watched) {
    if (!run.end) run.handle.resume()
    if (!run.end) run.handle.stop(0)
  }
  await eventually('the end of all runs', () => watched.every((run) => run.end))
  for (const run of runner.leftovers()) runner.forget(run)
  runner.close()
  rmSync(world, { recursive: true, force: true, maxRetries: 5 })
})

interface Watched extends RunWatcher {
  run: string
  handle: RunHandle
  pid: number | undefined
  end: RunEnd | undefined
  calls: string[]
  next: { o: number; e: number }
  chunks: { o: Uint8Array[]; e: Uint8Array[] }
  text(stream: 'o' | 'e'): string
}

/** A watcher that keeps everything. */
const watcherOf = (run: string): Omit<Watched, 'handle'> => {
  const seen: Omit<Watched, 'handle'> = {
    run,
    pid: undefined,
    end: undefined,
    calls: [],
    next: { o: 0, e: 0 },
    chunks: { o: [], e: [] },
    started: (pid) => {
      seen.calls.push('started')
      seen.pid = pid
    },
    output: (stream, bytes) => {
      if (seen.end) seen.calls.push('output after the end')
      seen.next[stream] += bytes.length
      seen.chunks[stream].push(Buffer.from(bytes))
    },
    ended: (end) => {
      seen.calls.push('ended')
      seen.end = end
    },
    noRoom: () => {
      seen.calls.push('noRoom')
    },
    text: (stream) => Buffer.concat(seen.chunks[stream]).toString(),
  }
  return seen
}

const start = (payload: ProcessPayload, run = 'r-1', watcher: Omit<Watched, 'handle'> = watcherOf(run)): Watched => {
  const handle = runner.start({ run, payload, env: { SKEIN_RUN: run } }, watcher)
  return keep(Object.assign(watcher, { handle }))
}

const adopt = (run: string, boot = readBootId()): Watched => {
  const watcher = watcherOf(run)
  return keep(Object.assign(watcher, { handle: runner.adopt({ run, boot }, watcher) }))
}

const keep = (run: Watched): Watched => {
  watched.push(run)
  return run
}

/** How a run has ended, without when: that is only told of what was adopted. */
const endOf = (run: Watched): Promise<RunEnd> => eventually(`the end of ${run.run}`, () => run.end).then(withoutTime)
const withoutTime = (end: RunEnd): RunEnd => {
  if (end.kind !== 'exited') return end
  const { endedAt: _, ...rest } = end
  return rest
}
const pidOf = (run: Watched): Promise<number> => eventually(`the start of ${run.run}`, () => run.pid)
const line = (command: string): ProcessPayload => ({ command })
const isAlive = (pid: number): boolean => statOf(pid)?.isAlive === true
const numberIn = (path: string): Promise<number> =>
  eventually(path, () => existsSync(path) && readFileSync(path, 'utf8').endsWith('\n') && Number(readFileSync(path, 'utf8')))
const shimOf = (run: string): Promise<number> =>
  eventually(`the shim of ${run}`, () => {
    const claim = readClaim(join(runs, run))
    return claim.by === 'shim' && claim.shim?.pid
  })

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return '' // no process, or not ours to look at
  }
}

/** A shim that another daemon has started in a folder; resolves with its exit code. */
const shimIn = (folder: string, program: string): Promise<unknown> => {
  const shim = spawn('/bin/sh', ['-s', 'shim'], { cwd: folder, stdio: ['pipe', 'ignore', 'ignore'] })
  shim.stdin.on('error', () => undefined) // one that has ended takes nothing
  shim.stdin.end(shimText(readBootId(), '../.wake') + serveText('other', program))
  return new Promise((resolve) => shim.once('exit', resolve))
}

describe('a standard input', () => {
  test('is what its handle writes, and ends when that does', async () => {
    const watcher = watcherOf('r-1')
    const handle = runner.start(
      { run: 'r-1', payload: { command: ['sh', '-c', 'cat; exit 3'] }, env: {}, hasInput: true },
      watcher,
    )
    const run = keep(Object.assign(watcher, { handle }))
    handle.input?.write('one\n')
    await eventually('it is heard', () => run.text('o') === 'one\n')
    const much = 'x'.repeat(300_000)
    handle.input?.end(`${much}\n`)
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 3 })
    expect(run.text('o')).toBe(`one\n${much}\n`)
  })
})

test('a standard input that ends as soon as the program is told of ends for the program', async () => {
  for (let i = 0; i < 20; i++) {
    const watcher = watcherOf(`r-${i}`)
    const { started } = watcher
    watcher.started = (pid) => {
      started(pid)
      run.handle.input?.end()
    }
    const handle = runner.start({ run: `r-${i}`, payload: { command: ['cat'] }, env: {}, hasInput: true }, watcher)
    const run = keep(Object.assign(watcher, { handle }))
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 0 })
  }
})

describe('startProcessRunner() starts', () => {
  test('a program in a shim that stays, not in one that was just told to go', async () => {
    runner.close()
    // The timer that sends spare shims away is the test's to ring.
    let trim = (): void => undefined
    const clock: Clock = {
      ...systemClock,
      after: (ms, call) => {
        if (ms !== 2000) return systemClock.after(ms, call)
        trim = call
        return { cancel: () => undefined }
      },
    }
    runner = startProcessRunner({ folder: runs, clock, log: silentLog, env: process.env, pollMs: 200 })
    expect(await endOf(start({ command: 'true' }, 'r-first'))).toEqual({ kind: 'exited', code: 0 })
    runner.forget('r-first')
    // A spare one waits in a folder of which the claim was cleared away.
    await eventually('a spare shim', () =>
      readdirSync('/proc').some((pid) => {
        const cwd = linkOf(`/proc/${pid}/cwd`)
        return cwd.startsWith(join(runs, '.spare')) && !existsSync(join(cwd, 'claim'))
      }),
    )
    trim()
    trim()
    expect(await endOf(start({ command: 'true' }, 'r-second'))).toEqual({ kind: 'exited', code: 0 })
  })

  test('a program, and reports start, both streams and the code, in this order', async () => {
    const run = start(line('echo out; echo err >&2; exit 7'))
    expect(run.calls).toEqual([])
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 7 })
    expect([run.text('o'), run.text('e'), run.calls]).toEqual(['out\n', 'err\n', ['started', 'ended']])
  })

  test('programs that end by themselves, by a signal, and words that need quoting', async () => {
    const ends = [start(line('kill -9 $$'), 'r-kill'), start({ command: ['/bin/true'] }, 'r-true')]
    const words = start({ command: ['printf', '<%s>', "it's", '$HOME', '', 'a\nb', '-- \\'] }, 'r-words')
    expect(await Promise.all(ends.map(endOf))).toEqual([
      { kind: 'exited', code: 137 },
      { kind: 'exited', code: 0 },
    ])
    await endOf(words)
    expect(words.text('o')).toBe("<it's><$HOME><><a\nb><-- \\>")
  })

  test('a script with arguments, that writes to /dev/stderr again and again', async () => {
    const script = '#!/bin/sh\nfor i in 1 2 3; do echo $i > /dev/stderr; echo "$2" > /dev/stdout; done\npwd\n'
    const run = start({ script, args: ['a', 'b c'] })
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 0 })
    expect(run.text('e')).toBe('1\n2\n3\n')
    expect(run.text('o')).toBe(`b c\nb c\nb c\n${join(runs, 'r-1', 'work')}\n`)
  })

  test('with the environment of the order, none of the daemon, no signal ignored and no descriptor too many', async () => {
    process.env['SKEIN_TOKEN'] = 'secret'
    const command = 'env; grep -E "^Sig(Ign|Blk)" /proc/self/status; readlink /proc/$$/fd/*; true'
    const run = start({ command, env: { SKEIN_RUN: 'mine', stat: '$x `y`' } })
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 0 })
    const lines = run.text('o').split('\n')
    for (const expected of ['SKEIN_RUN=mine', 'stat=$x `y`']) expect(lines).toContain(expected)
    const names = lines.filter((text) => text.includes('=')).map((text) => text.split('=', 1)[0])
    expect(names.filter((name) => name === 'SKEIN_TOKEN' || name === 'SKEIN_SHIM' || name === 'OLDPWD')).toEqual([])
    expect(lines.filter((text) => text.startsWith('Sig'))).toEqual(['SigBlk:\t0000000000000000', 'SigIgn:\t0000000000000000'])
    const open = lines.filter((text) => text.startsWith(`${runs}/`) && text !== join(runs, 'r-1', 'work'))
    expect(open).toEqual([join(runs, 'r-1', 'out'), join(runs, 'r-1', 'err')])
    delete process.env['SKEIN_TOKEN']
  })

  test('a program below a shim whose arguments show neither the data folder nor the program', async () => {
    const run = start(line('echo ready; sleep 1000'))
    await pidOf(run)
    const shim = readFileSync(`/proc/${await shimOf('r-1')}/cmdline`, 'utf8')
    expect(shim.split('\0')).toEqual(['/bin/sh', '-s', 'shim', ''])
  })

  test('nothing that cannot be started, and says why, once and again', async () => {
    writeFileSync(join(world, 'plain'), 'text', { mode: 0o644 })
    const cases: [ProcessPayload, number, string][] = [
      [{ command: ['no-such-program'] }, 127, 'command_not_found: "no-such-program"'],
      [{ command: ['./no/such'] }, 127, 'command_not_found: "./no/such"'],
      [{ command: [''] }, 127, 'command_not_found: ""'],
      [{ script: '#!/no/such/interpreter\n' }, 127, 'command_not_found: "/no/such/interpreter"'],
      [{ command: [join(world, 'plain')] }, 126, `not_executable: "${join(world, 'plain')}"`],
      [{ command: [world] }, 126, `not_executable: "${world}"`],
      [{ command: 'true', cwd: '/no/such/folder' }, 126, 'no_such_folder: "/no/such/folder"'],
    ]
    for (const [i, [payload, code, reason]] of cases.entries()) {
      const run = start(payload, `r-${i}`)
      expect(await endOf(run)).toEqual({ kind: 'not_started', code, reason })
      expect(run.calls).toEqual(['ended'])
      expect(await endOf(adopt(`r-${i}`))).toEqual(run.end)
    }
  })

  test('nothing when the system refuses, and says so', async () => {
    const run = start({ command: 'true', env: { TOO_LONG: 'x'.repeat(200_000) } })
    expect(await endOf(run)).toEqual({
      kind: 'not_started',
      code: 125,
      reason: 'cannot_start: an argument or variable is longer than 131071 bytes',
    })
    expect(await endOf(adopt('r-1'))).toEqual(run.end)
  })

  test('a program in another folder, or by a path relative to it', async () => {
    mkdirSync(join(world, 'elsewhere'))
    writeFileSync(join(world, 'elsewhere', 'tool'), '#!/bin/sh\npwd\n', { mode: 0o755 })
    const run = start({ command: ['./tool'], cwd: join(world, 'elsewhere') })
    await endOf(run)
    expect(run.text('o')).toBe(`${join(world, 'elsewhere')}\n`)
  })

  test('a text without a first line that names its shell, as a shell would', async () => {
    writeFileSync(join(world, 'bare'), 'echo bare $1\n', { mode: 0o755 })
    const run = start({ command: [join(world, 'bare'), 'words'] })
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 0 })
    expect(run.text('o')).toBe('bare words\n')
  })

  test('a program as the leader of a group and a session of its own, under the name it was called by', async () => {
    const run = start({ command: ['sh', '-c', 'echo $0; cat /proc/$$/stat; cat /proc/$$/cmdline', 'zero'] })
    await endOf(run)
    const [name, stat = '', line = ''] = run.text('o').split('\n')
    const [pid, , , , group, session] = stat.split(' ')
    expect([name, group, session, line.split('\0')[0]]).toEqual(['zero', pid, pid, 'sh'])
  })

  test('variables that a shell keeps for itself', async () => {
    const run = start({ command: ['/usr/bin/env'], env: { UID: '7', OPTIND: 'x', PPID: '1', EMPTY: '' } })
    await endOf(run)
    for (const expected of ['UID=7', 'OPTIND=x', 'PPID=1', 'EMPTY=']) expect(run.text('o').split('\n')).toContain(expected)
  })

  test('a long command that fits no variable', async () => {
    const run = start({ command: ['expr', 'length', "'".repeat(60_000)] })
    await endOf(run)
    expect(run.text('o')).toBe('60000\n')
  })

  test('a folder again only when nothing of the earlier run is left in it', async () => {
    const first = start(line('pwd; echo left > file'), 'r-1')
    await endOf(first)
    runner.forget('r-1')
    const second = start(line('ls -A; ls -A ..'), 'r-2')
    await endOf(second)
    runner.forget('r-2')
    await eventually('the folder taken back', () => readdirSync(join(runs, '.spare')).length >= 15)
    const third = start(line('ls -A; ls -A ..'), 'r-3')
    await endOf(third)
    expect([second.text('o'), third.text('o')]).toEqual(['claim\ndone\nerr\nout\nwork\n', 'claim\ndone\nerr\nout\nwork\n'])
  })

  test('no run twice: of two shims in one folder one finds the claim taken', async () => {
    const witness = join(world, 'witness')
    for (let round = 0; round < 10; round++) {
      const run = start({ command: ['/bin/no-such'] }, `r-${round}`)
      await endOf(run)
      const folder = join(runs, run.run)
      rmSync(join(folder, 'claim'))
      const codes = [0, 1].map(() => shimIn(folder, `exec setsid sh -c 'echo x >> ${witness}'`))
      expect(await Promise.race(codes)).toBe(76)
      expect(await endOf(adopt(run.run))).toEqual({ kind: 'exited', code: 0 })
      runner.forget(run.run)
      expect((await Promise.all(codes)).sort()).toEqual([0, 76])
    }
    expect(readFileSync(witness, 'utf8')).toBe('x\n'.repeat(10))
  })

  test('a claimed run not again, but adopts it', async () => {
    const witness = join(world, 'witness')
    const first = start(line(`echo x >> ${witness}; echo said; exit 3`))
    await endOf(first)
    const second = start(line(`echo x >> ${witness}`))
    expect(await endOf(second)).toEqual({ kind: 'exited', code: 3 })
    expect(readFileSync(witness, 'utf8')).toBe('x\n')
  })
})

describe('startProcessRunner() hands out', () => {
  test('10 MB on each stream, byte for byte', async () => {
    const run = start({ command: 'seq 1 1500000 & seq 2000000 -1 500001 >&2; wait' })
    await endOf(run)
    const expected = { o: createHash('sha1'), e: createHash('sha1') }
    for (let i = 1; i <= 1_500_000; i++) {
      expected.o.update(`${i}\n`)
      expected.e.update(`${2_000_001 - i}\n`)
    }
    expect(run.next.o).toBeGreaterThan(10_000_000)
    expect(createHash('sha1').update(Buffer.concat(run.chunks.o)).digest('hex')).toBe(expected.o.digest('hex'))
    expect(createHash('sha1').update(Buffer.concat(run.chunks.e)).digest('hex')).toBe(expected.e.digest('hex'))
    expect(run.calls).toEqual(['started', 'ended'])
  })

  test('bytes that are not UTF-8 as they are', async () => {
    const run = start(line(String.raw`printf '\377\376\000\200\n'`))
    await endOf(run)
    expect(Buffer.concat(run.chunks.o)).toEqual(Buffer.from([0xff, 0xfe, 0, 0x80, 10]))
  })

  test('nothing more of a program that closes its streams, and waits for its end', async () => {
    const run = start(line(`echo before; exec >&- 2>&-; while [ ! -e ${world}/go ]; do sleep 0.05; done; exit 5`))
    await eventually('output', () => run.text('o') === 'before\n')
    writeFileSync(join(world, 'go'), '')
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 5 })
  })

  test('nothing while paused: the program waits; the end comes after all has been read', async () => {
    // 4 MiB in steps: more than any pipe takes, so without a reader the program cannot get to its end.
    const step = `head -c 4096 /dev/zero; i=$((i + 1)); echo $i > ${world}/steps`
    const wait = `while [ ! -e ${world}/go ]; do sleep 0.05; done`
    const run = start(line(`i=0; echo first; ${wait}; while [ $i -lt 1024 ]; do ${step}; done; echo > ${world}/done`))
    await eventually('the first line', () => run.next.o === 6)
    run.handle.pause()
    writeFileSync(join(world, 'go'), '')
    await eventually('a pipe that fills', async () => (await numberIn(join(world, 'steps'))) >= 16)
    expect([run.next.o, existsSync(join(world, 'done'))]).toEqual([6, false])
    run.handle.resume()
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 0 })
    expect(run.next.o).toBe(6 + 4 * 1024 * 1024)
  })

  test('the rest of an ended program only when it is resumed', async () => {
    const run = start(line('echo rest'))
    run.handle.pause()
    await eventually('the exit', () => {
      const claim = readClaim(join(runs, 'r-1'))
      return claim.by === 'shim' && claim.exit === 0
    })
    expect([run.end, run.next.o]).toEqual([undefined, 0])
    run.handle.resume()
    await endOf(run)
    expect(run.text('o')).toBe('rest\n')
  })
})

describe('startProcessRunner() stops', () => {
  const stubborn = (file: string): string => `sh -c 'trap "" TERM; echo $$ > ${file}; while :; do sleep 1; done' &`

  test('a program before its pid is known', async () => {
    const run = start({ command: ['sleep', '1000'] })
    run.handle.stop(10_000)
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 143 })
  })

  test('with SIGTERM, and sooner with SIGKILL when asked again', async () => {
    const run = start(line('trap "echo asked" TERM; echo ready; while :; do sleep 0.05; done'))
    await eventually('the program', () => run.text('o').includes('ready'))
    run.handle.stop(3_600_000)
    await eventually('SIGTERM', () => run.text('o').includes('asked'))
    expect(run.end).toBeUndefined()
    run.handle.stop(0)
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 137 })
  })

  test('the whole group, grandchildren that ignore SIGTERM too', async () => {
    const run = start(line(`${stubborn(`${world}/pid`)} wait`))
    const grandchild = await numberIn(join(world, 'pid'))
    run.handle.stop(100)
    await endOf(run)
    expect(isAlive(grandchild)).toBe(false)
  })

  test('whoever left the group but not the session', async () => {
    // An interactive shell gives each job a group of its own.
    const run = start({ command: ['bash', '-c', `set -m; sleep 1000 & echo $! > ${world}/pid; wait`] })
    const job = await numberIn(join(world, 'pid'))
    expect(statOf(job)?.group).toBe(job)
    run.handle.stop(5000)
    await endOf(run)
    expect(isAlive(job)).toBe(false)
  })

  test('what a program leaves behind when it ends', async () => {
    const run = start(line(`${stubborn(`${world}/pid`)} sleep 1000 & while [ ! -s ${world}/pid ]; do sleep 0.05; done; exit 4`))
    const grandchild = await numberIn(join(world, 'pid'))
    await eventually('the exit', () => {
      const claim = readClaim(join(runs, 'r-1'))
      return claim.by === 'shim' && claim.exit === 4
    })
    expect([run.end, isAlive(grandchild)]).toEqual([undefined, true])
    run.handle.stop(0)
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 4 })
    expect(isAlive(grandchild)).toBe(false)
  })
})

describe('startProcessRunner() after a loss', () => {
  test('of the shim reports a run whose status nobody has, once it is gone', async () => {
    const run = start(line(`echo alive; while [ ! -e ${world}/go ]; do sleep 0.05; done; echo late`))
    const pid = await pidOf(run)
    process.kill(await shimOf('r-1'), 'SIGKILL')
    await eventually('output', () => run.text('o') === 'alive\n')
    expect([run.end, isAlive(pid)]).toEqual([undefined, true])
    writeFileSync(join(world, 'go'), '')
    expect(await endOf(run)).toEqual({ kind: 'unknown', reason: 'exit_unknown' })
    expect(run.text('o')).toBe('alive\nlate\n')
  })

  test('of the boot reports the status that was recorded, or that the device has rebooted', async () => {
    const run = start(line('echo kept; exit 6'))
    await endOf(run)
    expect(await endOf(adopt('r-1', 'another-boot'))).toEqual({ kind: 'exited', code: 6 })
    const text = readFileSync(join(runs, 'r-1', 'claim'), 'utf8')
    writeFileSync(join(runs, 'r-1', 'claim'), text.replace(/\nexit 6\n$/, ''))
    const rebooted = adopt('r-1', 'another-boot')
    expect(await endOf(rebooted)).toEqual({ kind: 'unknown', reason: 'device_rebooted' })
    expect([run.text('o'), rebooted.text('o')]).toEqual(['kept\n', ''])
  })

  test('of a start closes the run, so that a late shim starts nothing', async () => {
    mkdirSync(join(runs, 'r-1', 'work'), { recursive: true })
    const run = adopt('r-1')
    expect(await endOf(run)).toEqual({ kind: 'not_started', code: 125, reason: 'never_started' })
    expect(await shimIn(join(runs, 'r-1'), 'exec true')).toBe(76)
    expect(await endOf(adopt('r-2'))).toEqual({ kind: 'not_started', code: 125, reason: 'never_started' })
    expect(await endOf(adopt('r-2', 'another-boot'))).toEqual({ kind: 'unknown', reason: 'device_rebooted' })
  })
})

describe.skipIf(!canMount())('on a full disk', () => {
  test.each<[string, ProcessPayload]>([
    ['a command', line('echo begun; echo x >>"$WITNESS"')],
    ['a script', { script: `#!/bin/sh\n: ${'long '.repeat(2000)}\necho begun; echo x >>"$WITNESS"\n` }],
    ['no program', { command: ['/no/such/program'] }],
  ])('%s does not begin, and is no failure; it begins when there is room', async (_, payload) => {
    runner.close()
    const disk = mountSmallDisk(join(world, 'small'), 1)
    runs = join(world, 'small', 'runs')
    try {
      runner = newRunner()
      const witness = join(world, 'witness')
      const order = { run: 'r-1', payload, env: { WITNESS: witness } }
      const first = watcherOf('r-1')
      disk.fill()
      runner.start(order, first)
      await eventually('that there is no room', () => first.calls.length > 0)
      runner.forget('r-1')
      expect([first.calls, runner.leftovers(), existsSync(witness)]).toEqual([['noRoom'], [], false])
      disk.free()
      const second = watcherOf('r-1')
      const run = keep(Object.assign(second, { handle: runner.start(order, second) }))
      const isProgram = !Array.isArray(payload.command)
      const end = await endOf(run)
      expect(end).toMatchObject(isProgram ? { kind: 'exited', code: 0 } : { kind: 'not_started', code: 127 })
      expect(existsSync(witness) ? readFileSync(witness, 'utf8') : '').toBe(isProgram ? 'x\n' : '')
      runner.forget('r-1')
    } finally {
      runner.close()
      disk.close()
      runs = join(world, 'runs')
      runner = newRunner()
    }
  })

  test('a program may end with the status that a shim without room has', async () => {
    expect(await endOf(start(line('exit 77')))).toEqual({ kind: 'exited', code: 77 })
  })
})

describe('a killed daemon', () => {
  let program: string
  const built = mkdtempSync(join(tmpdir(), 'skein-built-'))
  let daemons: ChildProcess[] = []

  beforeAll(async () => {
    program = join(built, 'daemon.mjs')
    await build({
      entryPoints: [fileURLToPath(new URL('../harness/runner-daemon.ts', import.meta.url))],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      loader: { '.sh': 'text' },
      // pino is CommonJS and asks for built-ins by require.
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
    })
  })
  afterEach(() => {
    for (const daemon of daemons) daemon.kill('SIGKILL')
    daemons = []
  })
  afterAll(() => rmSync(built, { recursive: true, force: true }))

  const startDaemon = (run: string, payload: ProcessPayload, more: Partial<StartOrder> = {}) => {
    const daemon = spawn(process.execPath, [program, runs, join(world, 'journal')], { stdio: ['pipe', 'pipe', 'inherit'] })
    daemons.push(daemon)
    let said = ''
    daemon.stdout.on('data', (bytes) => {
      said += bytes
    })
    daemon.stdin.write(`${JSON.stringify({ run, payload, env: { SKEIN_RUN: run }, ...more })}\n`)
    return { said: () => said, kill: () => killed(daemon) }
  }

  test('a run with a standard input ends with its daemon, with all that it has started, though no other comes', async () => {
    const path = join(world, 'pids')
    const deaf = `trap '' TERM; setsid sh -c 'echo $$ >>${path}; exec sleep 1000' & echo $$ >>${path}; while :; do sleep 0.1; done`
    const daemon = startDaemon('r-1', { command: ['sh', '-c', deaf] }, { hasInput: true })
    const pids = (): number[] => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1).map(Number) : [])
    await eventually('both run', () => pids().length === 2)
    await daemon.kill()
    await eventually('both are gone', () => pids().every((pid) => !statOf(pid)?.isAlive), 10_000)
    expect(await endOf(adopt('r-1'))).toMatchObject({ kind: 'exited', code: 137 })
  })

  const killed = async (daemon: ChildProcess): Promise<void> => {
    const gone = new Promise((resolve) => daemon.once('exit', resolve))
    daemon.kill('SIGKILL')
    await gone
  }

  const journal = (run: string): Buffer => {
    const path = join(world, 'journal', `${run}.o`)
    return existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  }

  test('leaves a run that goes on; the next one gets all of its output and its code', async () => {
    runner.close()
    const witness = join(world, 'witness')
    const wait = `while [ ! -e ${world}/go ]; do sleep 0.05; done`
    const daemon = startDaemon('r-1', line(`echo x >> ${witness}; seq 1 100000; ${wait}; seq 100001 200000; exit 9`))
    // Killed between a read and the write after it, a daemon takes along what it has just read: so it is killed at rest.
    await eventually('the first half', () => daemon.said().includes('output o 588895\n'))
    await daemon.kill()
    writeFileSync(join(world, 'go'), '')
    runner = newRunner()
    const before = journal('r-1')
    const run = adopt('r-1')
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 9 })
    const all = Buffer.concat([before, ...run.chunks.o]).toString()
    expect(all === Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`).join('')).toBe(true)
    expect([readFileSync(witness, 'utf8'), run.calls]).toEqual(['x\n', ['started', 'ended']])
  })

  test('while nobody listens a run ends, and its code and output wait', async () => {
    runner.close()
    const daemon = startDaemon('r-1', line(`echo one; while [ ! -e ${world}/go ]; do sleep 0.05; done; echo two; exit 8`))
    await eventually('output', () => daemon.said().includes('output o 4'))
    await daemon.kill()
    writeFileSync(join(world, 'go'), '')
    await eventually('the exit', () => {
      const claim = readClaim(join(runs, 'r-1'))
      return claim.by === 'shim' && claim.exit === 8
    })
    runner = newRunner()
    expect(runner.leftovers()).toEqual(['r-1'])
    const run = adopt('r-1')
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 8 })
    expect(run.text('o')).toBe('two\n')
    const shim = await shimOf('r-1')
    runner.forget('r-1')
    await eventually('the end of the shim', () => !isAlive(shim))
    expect(runner.leftovers()).toEqual([])
  })

  test('leaves runs that the next one can stop', async () => {
    runner.close()
    const daemon = startDaemon('r-1', { command: ['sleep', '1000'] })
    await eventually('the start', () => daemon.said().includes('started'))
    await daemon.kill()
    runner = newRunner()
    const run = adopt('r-1')
    run.handle.stop(5000)
    expect(await endOf(run)).toEqual({ kind: 'exited', code: 143 })
  })
})
