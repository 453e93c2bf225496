import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { systemChance } from '../../base/chance.ts'
import { openDatabase } from '../../base/database.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import { journalMigrations } from '../../device/journal.ts'
import type { RunEnd, Runner, RunWatcher, StartOrder } from '../../device/runner.ts'
import { createRequests, type ReadFiles } from '../../device/workloads/requests.ts'
import { createWorkloads } from '../../device/workloads/workloads.ts'
import { refused } from '../../schemas/errors.ts'
import { WorkloadSpec } from '../../schemas/workload.ts'
import type { WorkloadRun, WorkloadStatus } from '../../schemas/workload-status.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'
import { createSimSegments } from '../simulation/sim-segments.ts'

/** A process as a test plays it. */
export interface Played {
  order: StartOrder
  stops: number
  /** What it uses, if that can be seen: the daemon's own watch goes by it. */
  memoryMb: number | null
  start(): void
  write(text: string): void
  end(end?: RunEnd): void
}

/** The workloads of a device over a journal in memory, where a test decides when time passes, what is committed and what programs do. */
export const createWorkloadWorld = () => {
  const root = mkdtempSync(join(tmpdir(), 'skein-world-'))
  const time = createTime()
  const db = openDatabase(':memory:', journalMigrations)
  const segments = createSimSegments(() => time.now()).segments
  /** `hold`: commits wait until they are let go; `fail`: none succeeds. */
  const disk = { is: 'well' as 'well' | 'hold' | 'fail' }
  /** What keeps programs from being started. */
  const trouble: { is: Error | null } = { is: null }
  const alive = new Map<string, Played>()
  const begun: Played[] = []
  let boot = 'boot-1'

  const open = (wallOffsetMs = 0) => {
    const life = { isDead: false, wallOffsetMs }
    const clock = clockOf(time, life)
    let waiting: { work: () => unknown; resolve: (value: unknown) => void; reject: (error: unknown) => void }[] = []
    const flush = (): void => {
      if (disk.is === 'hold' || life.isDead) return
      const group = waiting
      waiting = []
      for (const { work, resolve, reject } of group) {
        if (disk.is === 'fail') {
          reject(Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' }))
          continue
        }
        try {
          resolve(db.transaction(work)())
        } catch (error) {
          reject(error)
        }
      }
    }
    const commits: GroupCommit = {
      run: (work) =>
        new Promise((resolve, reject) => {
          waiting.push({ work, resolve: resolve as (value: unknown) => void, reject }) // the work's own result comes back to it
          clock.soon(flush)
        }),
      flush,
    }
    const play = (order: StartOrder, watcher: RunWatcher): Played => ({
      order,
      stops: 0,
      memoryMb: null,
      start: () => watcher.started(4711),
      write: (text) => watcher.output('o', Buffer.from(text)),
      end: (end = { kind: 'exited', code: 0 }) => {
        alive.delete(order.run)
        watcher.ended(end)
      },
    })
    const handleOf = (one: Played) => ({
      stop: () => {
        one.stops++
      },
      usage: () => (one.memoryMb === null ? null : { memoryBytes: one.memoryMb * 1024 * 1024, processes: 1 }),
      pause: () => {},
      resume: () => {},
      release: () => {},
    })
    const runner: Runner = {
      start: (order, watcher) => {
        if (trouble.is) throw trouble.is
        const one = play(order, watcher)
        alive.set(order.run, one)
        begun.push(one)
        return handleOf(one)
      },
      adopt: ({ run }, watcher) => {
        const known = alive.get(run)
        const one = play(known?.order ?? { run, payload: {}, env: {} }, watcher)
        if (known) {
          alive.set(run, one)
          begun[begun.indexOf(known)] = one
        }
        clock.soon(() => (known ? one.start() : watcher.ended({ kind: 'unknown', reason: 'device_rebooted' })))
        return handleOf(one)
      },
      forget: () => {},
      leftovers: () => [],
      lacks: () => undefined,
    }
    const workloads = createWorkloads({
      ...{
        device: 'd',
        fleet: 'f',
        folder: join(root, 'folders'),
        outputs: join(root, 'outputs'),
        db,
        commits,
        runner,
        segments,
      },
      ...{ clock, chance: systemChance, log: pino({ level: 'silent' }), boot, timezone: 'UTC' },
      trust: () => ({ isTrusted: true, because: 'a test says so' }),
      surroundings: (own, payload) => ({ ...own, ...payload }),
      logBudget: () => 1e9,
      publish: () => true,
      changed: () => {},
    })
    workloads.recover()
    return { workloads, life, clock, flush }
  }
  let now = open()
  let files: readonly unknown[] = []
  const read: ReadFiles = () => ({
    ok: true,
    roots: [root],
    gone: [],
    found: files.map((one) => ({
      spec: WorkloadSpec.parse({ type: 'service', run_mode: 'forever', command: ['true'], ...(one as object) }), // a test writes objects
      file: join(root, 'all.yaml'),
    })),
  })

  /** Lets happen what happens within so many milliseconds. */
  const pass = async (ms = 0): Promise<void> => {
    const until = time.now() + ms
    for (let still = 0; still < 5; ) {
      await new Promise((resolve) => setImmediate(resolve))
      still = time.step(until) ? 0 : still + 1
    }
  }
  const requests = () =>
    createRequests({
      workloads: now.workloads,
      read,
      refuses: () => undefined,
      lacks: () => undefined,
      surroundings: (own) => own,
      shells: { ask: async () => refused('not_supported', 'no shells here') },
    })

  return {
    root,
    db,
    disk,
    trouble,
    begun,
    pass,
    time,
    clock: () => now.clock,
    requests,
    flush: () => now.flush(),
    workloads: () => now.workloads,
    /** The last process that was begun. */
    last: (): Played => {
      const one = begun.at(-1)
      if (!one) throw new Error('Nothing was begun')
      return one
    },
    write: (...all: readonly ({ name: string } & Record<string, unknown>)[]): void => {
      files = all
    },
    apply: async (...all: readonly ({ name: string } & Record<string, unknown>)[]) => {
      files = all
      const applied = requests().apply({ paths: [root] })
      await pass()
      return applied
    },
    /** Lets go what waits to be committed. */
    letGo: async (): Promise<void> => {
      disk.is = 'well'
      now.flush()
      await pass()
    },
    show: async (workload: string): Promise<WorkloadStatus & { runs: WorkloadRun[] }> => {
      const answer = await requests().get({ workload, history: 50 })
      if (!answer.ok) throw new Error(answer.error.message)
      return answer.output as WorkloadStatus & { runs: WorkloadRun[] } // what `get` gives
    },
    /** The daemon dies, and the next begins; with a reboot so do programs. `wallOffsetMs`: how wrong the wall clock is from then on. */
    kill: async ({ reboots = false, wallOffsetMs = 0 } = {}): Promise<void> => {
      now.life.isDead = true
      if (reboots) {
        alive.clear()
        boot = 'boot-2'
      }
      disk.is = 'well'
      now = open(wallOffsetMs)
      await pass()
    },
    close: (): void => {
      now.life.isDead = true
      db.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
export type WorkloadWorld = ReturnType<typeof createWorkloadWorld>
