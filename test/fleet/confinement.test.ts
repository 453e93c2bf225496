import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import type { RunEnd, RunHandle, RunSetup } from '../../device/runner.ts'
import { findAbilities } from '../../device/runners/confinement/abilities.ts'
import { type Cgroups, openCgroups } from '../../device/runners/confinement/cgroups.ts'
import { readSetup } from '../../device/runners/confinement/kept.ts'
import { membersFor } from '../../device/runners/confinement/members.ts'
import { openProcessView } from '../../device/runners/confinement/process-view.ts'
import { pidsIn as cgroupPids, killAllIn, removeCgroups } from '../../device/runners/confinement/run-cgroup.ts'
import { type ProcessRunner, startProcessRunner } from '../../device/runners/process.ts'
import { readBootId, statOf } from '../../device/runners/process-table.ts'
import { readClaim } from '../../device/runners/run-folder.ts'
import type { ProcessPayload } from '../../schemas/process.ts'
import { eventually } from '../harness/eventually.ts'

interface Watched {
  run: string
  handle: RunHandle
  pid?: number
  end?: RunEnd
  o: string
  e: string
}

const none: Cgroups = { versions: [], has: () => false, make: () => undefined, remove: () => undefined, close: () => undefined }
const here = openCgroups(join(tmpdir(), 'skein-confinement-none'), systemClock, silentLog)
const can = findAbilities(here).list()
const isRoot = process.geteuid?.() === 0
const canLimit = ['limit.pids', 'limit.memory', 'limit.cpu'].every((one) => can.includes(one))
const canSandbox = ['sandbox.network', 'sandbox.filesystem', 'sandbox.private-tmp'].every((one) => can.includes(one))
// No package can bring cgroups; bubblewrap is brought by .ci/setup.
if (!canLimit) console.warn('skipped: limits, because not every controller of cgroups is writable here')
if (!can.includes('user')) console.warn('skipped: runs of other users, because this is not root')
if (!canSandbox) console.warn('skipped: sandboxes, because bubblewrap does not work here')
const skipSandbox = !canSandbox && process.env['CI'] !== 'true'

let world: string
let runs: string
let runner: ProcessRunner
let watched: Watched[]

const newRunner = (): ProcessRunner =>
  startProcessRunner({ folder: runs, clock: systemClock, log: silentLog, env: process.env, pollMs: 200 })

beforeEach(() => {
  world = mkdtempSync(join(tmpdir(), 'skein-confinement-'))
  runs = join(world, 'data', 'runs')
  watched = []
  runner = newRunner()
})

afterEach(async () => {
  for (const run of watched) if (!run.end) run.handle.stop(0)
  await eventually('the end of all runs', () => watched.every((run) => run.end))
  const cgroups = watched.flatMap(({ run }) => cgroupsOf(run))
  for (const run of runner.leftovers()) runner.forget(run)
  await eventually('that no cgroup is left', () => cgroups.every((folder) => !existsSync(folder)))
  runner.close()
  expect(readdirSync(runs).filter((name) => !name.startsWith('.'))).toEqual([])
  for (const folder of cgroups) expect(existsSync(join(folder, '..'))).toBe(false)
  rmSync(world, { recursive: true, force: true, maxRetries: 5 })
})

const cgroupsOf = (run: string): readonly string[] => readSetup(join(runs, run), true)?.cgroup?.all ?? []

const watch = (run: string, begin: (watcher: Parameters<ProcessRunner['start']>[1]) => RunHandle): Watched => {
  const seen: Omit<Watched, 'handle'> = { run, o: '', e: '' }
  const watcher = {
    started: (pid: number) => {
      seen.pid = pid
    },
    output: (stream: 'o' | 'e', bytes: Buffer) => {
      seen[stream] += bytes.toString()
    },
    ended: (end: RunEnd) => {
      seen.end = end
    },
    noRoom: () => undefined,
  }
  const all = Object.assign(seen, { handle: begin(watcher) })
  watched.push(all)
  return all
}

/** Runs are found by their names too, so each name is used once on this machine. */
const start = (payload: ProcessPayload, setup?: RunSetup): Watched => {
  const run = `try-${randomBytes(6).toString('hex')}`
  const order = { run, payload, env: { SKEIN_RUN: run }, ...(setup ? { setup } : {}) }
  return watch(run, (watcher) => runner.start(order, watcher))
}
const sh = (command: string, setup?: RunSetup): Watched => start({ command }, setup)
/** How a run has ended, without when: that is only told of what was adopted. */
const endOf = (run: Watched): Promise<RunEnd> =>
  eventually(`the end of ${run.run}, which wrote ${run.e}`, () => run.end).then(withoutTime)
const withoutTime = (end: RunEnd): RunEnd => {
  if (end.kind !== 'exited') return end
  const { endedAt: _, ...rest } = end
  return rest
}
const isAlive = (pid: number): boolean => statOf(pid)?.isAlive === true
const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '')
const pidsIn = (path: string, count: number): Promise<number[]> =>
  eventually(path, () => textOf(path).split('\n').length > count && textOf(path).trim().split('\n').map(Number))
const exited = (code: number) => ({ kind: 'exited', code })

describe.skipIf(!canLimit)('limits', () => {
  test('a program over its memory is killed by the kernel, and that is told, by the next daemon too', async () => {
    const hog = 'x = bytearray(16 * 1024 * 1024 * 16)'
    const run = start({ command: ['python3', '-c', hog] }, { memoryMb: 64 })
    expect(await endOf(run)).toEqual({ ...exited(137), isOutOfMemory: true })
    runner.close()
    runner = newRunner()
    const again = watch(run.run, (watcher) => runner.adopt({ run: run.run, boot: readBootId() }, watcher))
    expect(await endOf(again)).toEqual({ ...exited(137), isOutOfMemory: true })
  })

  test('a program within its memory is told how much it uses, with all of its children', async () => {
    const run = start(
      {
        command: [
          'python3',
          '-c',
          'import os,time; os.fork(); x = b"x" * (40 << 20); print(len(x), flush=True); time.sleep(1000)',
        ],
      },
      { memoryMb: 512 },
    )
    await eventually('both', () => run.o.split('\n').length === 3)
    const usage = run.handle.usage()
    expect(usage?.processes).toBe(2)
    expect(usage?.memoryBytes).toBeGreaterThan(80 << 20)
    expect(usage?.memoryBytes).toBeLessThan(200 << 20)
    run.handle.stop(0)
    expect(await endOf(run)).toEqual(exited(137))
    expect(run.handle.usage()).toBe(null)
  })

  test('a fork bomb stays below its limit, and ends', async () => {
    const run = start({ command: ['bash', '-c', ':(){ :|:& };:; sleep 1000'] }, { processes: 50 })
    await eventually('the limit', () => (run.handle.usage()?.processes ?? 0) >= 45 || run.e.includes('fork'))
    for (let i = 0; i < 5; i++) expect(run.handle.usage()?.processes ?? 0).toBeLessThanOrEqual(50)
    run.handle.stop(0)
    await endOf(run)
    for (const folder of cgroupsOf(run.run)) expect(readFileSync(join(folder, 'cgroup.procs'), 'utf8')).toBe('')
  })

  test('weight and share of the processor, files and niceness are set', async () => {
    const run = sh('ulimit -n; nice', { openFiles: 77, nice: 5, cpuWeight: 50, cpuPercent: 20 })
    expect(await endOf(run)).toEqual(exited(0))
    expect(run.o).toBe('77\n5\n')
    const folder = cgroupsOf(run.run).find((one) => existsSync(join(one, 'cpu.cfs_quota_us')) || existsSync(join(one, 'cpu.max')))
    const [file, quota] = existsSync(join(folder ?? '', 'cpu.max')) ? ['cpu.max', '20000 100000'] : ['cpu.cfs_quota_us', '20000']
    expect(readFileSync(join(folder ?? '', file), 'utf8').trim()).toBe(quota)
  })
})

describe.each([
  ['a task', undefined],
  ['a run with a setup', {}],
] as const)('when %s is stopped', (_, setup) => {
  const scripts = {
    sleeper: 'echo $$ >>"$PIDS"; exec sleep 1000',
    twice: '(setsid sh "$SCRIPTS/sleeper" &)',
    deaf: 'trap "" TERM; exec >&- 2>&-; echo $$ >>"$PIDS"; while :; do sleep 1; done',
    halted: 'echo $$ >>"$PIDS"; kill -STOP $$; sleep 1000',
  }

  test('children that left its session, twice removed, stopped or deaf go with it', async () => {
    const path = join(world, 'pids')
    for (const [name, text] of Object.entries(scripts)) writeFileSync(join(world, name), `${text}\n`)
    const lines = Object.keys(scripts).map((name) => `setsid sh "$SCRIPTS/${name}" &`)
    const run = start({ command: `${lines.join(' ')} wait; sleep 1000`, env: { PIDS: path, SCRIPTS: world } }, setup)
    const pids = await pidsIn(path, 4)
    run.handle.stop(300)
    await endOf(run)
    expect(pids.filter(isAlive)).toEqual([])
  })

  test('its own signal is the one that it gets, and SIGKILL does not wait', async () => {
    const polite = sh('trap "echo int; exit 9" INT; trap "exit 8" TERM; echo up; while :; do sleep 0.05; done', setup)
    const stubborn = sh('trap "" TERM INT; echo up; while :; do sleep 0.05; done', setup)
    await eventually('both', () => polite.o === 'up\n' && stubborn.o === 'up\n')
    polite.handle.stop(10_000, 'SIGINT')
    stubborn.handle.stop(3_600_000, 'SIGKILL')
    expect(await Promise.all([endOf(polite), endOf(stubborn)])).toEqual([exited(9), exited(137)])
    expect(polite.o).toBe('up\nint\n')
  })
})

describe('a run with a setup', () => {
  test.each([...(canLimit ? [['in a cgroup', { processes: 50 }] as const] : []), ['in none', {}] as const])(
    'takes along, when it ends by itself, what it left in another session; %s, and adopted too',
    async (_, setup) => {
      const path = join(world, 'pids')
      const run = sh(
        `setsid sh -c 'echo $$ >>${path}; exec sleep 1000' & while [ ! -s ${path} ]; do sleep 0.05; done; sleep 0.2; exit 3`,
        setup,
      )
      const [pid = 0] = await pidsIn(path, 1)
      expect(await endOf(run)).toEqual(exited(3))
      expect(isAlive(pid)).toBe(false)

      const next = join(world, 'more')
      const other = sh(
        `setsid sh -c 'echo $$ >>${next}; exec sleep 1000' & while [ ! -e ${world}/go ]; do sleep 0.05; done; exit 4`,
        setup,
      )
      const [stray = 0] = await pidsIn(next, 1)
      runner.close()
      runner = newRunner()
      const order = { run: other.run, boot: readBootId(), hasSetup: true }
      const adopted = watch(other.run, (watcher) => runner.adopt(order, watcher))
      writeFileSync(join(world, 'go'), '')
      other.end = await endOf(adopted)
      expect(other.end).toMatchObject(exited(4))
      expect(isAlive(stray)).toBe(false)
    },
  )

  test('shares memory: where no cgroup counts it, what is shared counts once close to the limit', async () => {
    const command = [
      'python3',
      '-c',
      'import os,time; x = b"x" * (60 << 20); os.fork(); os.fork(); print(len(x), flush=True); time.sleep(1000)',
    ]
    const run = start({ command }, {})
    await eventually('all four', () => run.o.split('\n').length === 5)
    const leader = await eventually('its start', () => statOf(run.pid ?? 0))
    const kept = { hasPipes: true, hasMonitor: false }
    const asked = { run: run.run, view: openProcessView(systemClock.mono), isStopped: () => false }
    const wide = membersFor({ ...asked, kept: { ...kept, memoryMb: 4096 } }).usage(leader)
    const close = membersFor({ ...asked, kept: { ...kept, memoryMb: 128 } }).usage(leader)
    expect([wide?.processes, close?.processes]).toEqual([4, 4])
    expect(wide?.memoryBytes).toBeGreaterThan(240 << 20)
    expect(close?.memoryBytes).toBeGreaterThan(60 << 20)
    expect(close?.memoryBytes).toBeLessThan(128 << 20)
  })

  test('is adopted with all that is in its cgroup', async () => {
    const path = join(world, 'pids')
    const run = sh(
      `setsid sh -c 'unset SKEIN_RUN; exec env -i sh -c "echo \\$\\$ >>${path}; sleep 1000"' & wait; sleep 1000`,
      canLimit ? { processes: 50 } : {},
    )
    const [pid = 0] = await pidsIn(path, 1)
    runner.close()
    runner = newRunner()
    const adopted = watch(run.run, (watcher) => runner.adopt({ run: run.run, boot: readBootId() }, watcher))
    await eventually('the start', () => adopted.pid)
    expect(adopted.handle.usage()?.processes ?? 0).toBeGreaterThan(canLimit ? 2 : 0)
    adopted.handle.stop(5000)
    run.end = await endOf(adopted)
    if (canLimit) expect(isAlive(pid)).toBe(false)
    else if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
})

describe('output', () => {
  test('goes straight into a file, behind what is there, or nowhere', async () => {
    const path = join(world, 'out.log')
    appendFileSync(path, 'before\n')
    const filed = sh('echo out; echo err >&2', { output: { kind: 'file', path } })
    const silent = sh('echo out; echo err >&2', { output: { kind: 'none' } })
    expect(await Promise.all([endOf(filed), endOf(silent)])).toEqual([exited(0), exited(0)])
    expect(readFileSync(path, 'utf8')).toBe('before\nout\nerr\n')
    expect([filed.o, filed.e, silent.o, silent.e]).toEqual(['', '', '', ''])
  })

  test('into a file outlasts the daemon', async () => {
    const path = join(world, 'out.log')
    const run = sh(`echo one; while [ ! -e ${world}/go ]; do sleep 0.05; done; echo two; exit 4`, {
      output: { kind: 'file', path },
    })
    await eventually('a line', () => textOf(path) === 'one\n')
    runner.close()
    appendFileSync(join(world, 'go'), '')
    await eventually('the exit', () => {
      const claim = readClaim(join(runs, run.run))
      return claim.by === 'shim' && claim.exit === 4
    })
    runner = newRunner()
    const adopted = watch(run.run, (watcher) => runner.adopt({ run: run.run, boot: readBootId() }, watcher))
    run.end = await endOf(adopted)
    expect([run.end, textOf(path)]).toEqual([exited(4), 'one\ntwo\n'])
  })
})

describe('a folder', () => {
  test('is made for the run alone, and paths begin there', async () => {
    const folder = join(world, 'data', 'workloads', 'one')
    const run = start({ command: 'pwd; mkdir below' }, { folder })
    await endOf(run)
    const below = start({ command: 'pwd', cwd: 'below' }, { folder })
    await endOf(below)
    expect([run.o, below.o, statSync(folder).mode & 0o777]).toEqual([`${folder}\n`, `${folder}/below\n`, 0o700])
  })
})

describe.skipIf(!can.includes('user'))('another user', () => {
  test('has its name, its home, its folder, and may open /dev/stderr again; the daemon shuts what is not its own', async () => {
    mkdirSync(join(world, 'data', 'workloads'), { recursive: true })
    appendFileSync(join(world, 'data', 'secret'), 'x')
    const folder = join(world, 'data', 'workloads', 'one')
    // What the data folder lies in belongs to whoever made it: the test.
    const closed = start({ command: 'true' }, { user: 'nobody', folder })
    expect(await endOf(closed)).toEqual({
      kind: 'not_started',
      code: 125,
      reason: `cannot_start: user "nobody" cannot enter "${world}"`,
    })
    chmodSync(world, 0o711)
    const script = `#!/bin/sh
      id -un; echo "$HOME $USER $LOGNAME"; echo said > /dev/stderr; echo again > /dev/stderr; echo x > file; cat "$PWD/file"
      cat ${world}/data/secret ${runs}/*/claim 2>/dev/null; ls ${world}/data 2>/dev/null; echo end`
    const run = start({ script }, { user: 'nobody', folder })
    expect(await endOf(run)).toEqual(exited(0))
    expect([run.o, run.e]).toEqual(['nobody\n/nonexistent nobody nobody\nx\nend\n', 'said\nagain\n'])
    expect(statSync(join(folder, 'file')).uid).toBe(statSync(folder).uid)
    const plain = start({ command: 'pwd; echo y > file && cat "$PWD/file"' }, { user: '65534' })
    expect(await endOf(plain)).toEqual(exited(0))
  })

  test('that is not there is refused', () => {
    expect(runner.lacks({ user: 'no-such-user' })).toBe('user: there is no user "no-such-user" here')
  })
})

describe.skipIf(skipSandbox)('a sandbox', () => {
  const sandbox = { network: 'host', filesystem: 'read_write', private_tmp: false } as const

  test('without network does not reach a server on this machine', async () => {
    const server = createServer((socket) => void socket.on('error', () => undefined).end('hello\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = address !== null && typeof address === 'object' ? address.port : 0
    const ask = { command: ['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`] }
    const inside = start(ask, { sandbox: { ...sandbox, network: 'none' } })
    const outside = start(ask, { sandbox })
    expect(await endOf(outside)).toEqual(exited(0))
    expect(await endOf(inside)).toEqual(exited(1))
    expect([outside.o, inside.o]).toEqual(['hello\n', ''])
    expect(inside.e).toContain('refused')
    server.close()
  })

  test('with a read-only file system writes into its folder alone, root and others', async () => {
    const folder = join(world, 'data', 'one')
    chmodSync(world, 0o711)
    const line = `echo x > file && cat "$PWD/file"; touch ${world}/other || echo refused; mount -o remount,rw / 2>/dev/null || echo still; echo said > /dev/stderr`
    for (const user of can.includes('user') ? [undefined, 'nobody'] : [undefined]) {
      const run = sh(line, { folder, sandbox: { ...sandbox, filesystem: 'read_only' }, ...(user ? { user } : {}) })
      expect(await endOf(run)).toEqual(exited(0))
      expect(run.o).toBe('x\nrefused\nstill\n')
      expect(run.e).toMatch(/Read-only|Permission denied/)
      expect(run.e).toMatch(/said\n$/)
    }
    expect(existsSync(join(world, 'other'))).toBe(false)
  })

  test('with a /tmp of its own sees nothing of the other, and leaves nothing there', async () => {
    const mark = `skein-mark-${randomBytes(6).toString('hex')}`
    const folder = join(world, 'data', 'one')
    const script = `#!/bin/sh\nls /tmp; echo x > /tmp/${mark}; cat /tmp/${mark}; cd ${folder} && echo here`
    const run = start({ script }, { folder, sandbox: { ...sandbox, private_tmp: true } })
    expect(await endOf(run)).toEqual(exited(0))
    expect(run.o).toBe(`${world.startsWith('/tmp/') ? `${world.slice('/tmp/'.length)}\n` : ''}x\nhere\n`)
    expect(existsSync(join('/tmp', mark))).toBe(false)
  })

  test('is told to end without its monitor, so that the program says how it ended', async () => {
    const run = sh('trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.05; done', {
      sandbox: { ...sandbox, network: 'none' },
    })
    await eventually('its start', () => run.o === 'up\n')
    expect(run.handle.usage()?.processes ?? 0).toBeGreaterThan(0)
    run.handle.stop(10_000)
    expect(await endOf(run)).toEqual(exited(5))
    expect(run.o).toBe('up\nbye\n')
  })
})

const freezer = '/sys/fs/cgroup/freezer'
describe.skipIf(!can.includes('cgroup-v1') || !existsSync(freezer))('killAllIn()', () => {
  test.each([true, false])(
    'ends what forks as fast as it can, where there is no cgroup.kill; with a freezer: %s',
    async (isFreezer) => {
      const track = join(isFreezer ? freezer : '/sys/fs/cgroup/pids', `skein-test-${randomBytes(6).toString('hex')}`)
      mkdirSync(track)
      try {
        if (!isFreezer) writeFileSync(join(track, 'pids.max'), '40')
        // Each of a few forks the next of its line and ends, so none is there for long.
        const line = 'f() { if [ -e stop ]; then exit; fi; f & }; i=0; while [ $i -lt 8 ]; do i=$((i + 1)); f & done'
        const first = spawn('/bin/sh', ['-c', `echo 0 >${track}/cgroup.procs; ${line}`], { cwd: world, stdio: 'ignore' })
        await eventually('its children', () => first.exitCode !== null)
        await eventually('the end of all', () => {
          killAllIn({ all: [track], track, freezer: isFreezer })
          return cgroupPids(track).length === 0
        })
      } finally {
        writeFileSync(join(world, 'stop'), '')
        await eventually('an empty cgroup', () => removeCgroups([track]))
      }
    },
  )
})

describe('what cannot be enforced', () => {
  test('is said', () => {
    const abilities = findAbilities(none)
    expect(abilities.lacks({ memoryMb: 10, nice: 3 })).toBeUndefined()
    expect(abilities.lacks({ processes: 10, cpuWeight: 5 })).toBe(
      'pids_limit: no pids controller is writable here; cpu_weight: no cpu controller is writable here',
    )
    expect(abilities.lacks({ openFiles: 2 ** 31 })).toMatch(/^open_files_limit: at most \d+ can be had here$/)
    expect(abilities.list()).not.toContain('limit.pids')
    if (isRoot) expect(runner.capabilities()).toContain('user')
  })
})
