import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemChance } from '../../base/chance.ts'
import { systemClock } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import { silentLog } from '../../base/log.ts'
import { openJournal } from '../../device/journal.ts'
import { openSegments } from '../../device/logs/segments.ts'
import type { Runner, RunWatcher } from '../../device/runner.ts'
import type { LiveWorkload } from '../../device/workloads/live-workload.ts'
import { createWorkloads } from '../../device/workloads/workloads.ts'
import { WorkloadSpec } from '../../schemas/workload.ts'
import { eventually } from '../harness/eventually.ts'

let folder: string
let world: ReturnType<typeof createWorld>
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-races-'))
  world = createWorld()
})
afterEach(() => {
  world.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Workloads over a real journal that a test can hold up or make full, and programs that do what the test says. */
const createWorld = () => {
  const journal = openJournal(join(folder, 'journal.db'))
  const segments = openSegments(join(folder, 'logs'))
  const started: { run: string; watcher: RunWatcher }[] = []
  const handle = { stop: () => {}, pause: () => {}, resume: () => {}, release: () => {}, usage: () => null }
  let gate = Promise.resolve()
  let isFull = false
  const commits: GroupCommit = {
    run: async (work) => {
      await gate
      if (isFull) throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
      return work()
    },
    flush: () => {},
  }
  const runner: Runner = {
    start: ({ run }, watcher) => {
      systemClock.soon(() => {
        watcher.started(1)
        started.push({ run, watcher })
      })
      return { ...handle, stop: () => systemClock.soon(() => watcher.ended({ kind: 'exited', code: 143 })) }
    },
    adopt: () => handle,
    forget: () => {},
    leftovers: () => [],
    lacks: () => undefined,
  }
  const open = () =>
    createWorkloads({
      ...{ device: 'd', fleet: 'default', folder: join(folder, 'workloads'), outputs: join(folder, 'outputs'), db: journal.db },
      ...{ commits, runner, segments, clock: systemClock, chance: systemChance, boot: 'b', timezone: 'UTC' },
      log: silentLog,
      trust: () => ({ isTrusted: true, because: 'a test says so' }),
      surroundings: () => ({}),
      logBudget: () => 1e9,
      publish: () => true,
      changed: () => {},
    })
  const workloads = open()
  return {
    workloads,
    started,
    fill: (full: boolean): void => {
      isFull = full
    },
    /** Nothing more is stored until what this returns is called. */
    hold: (): (() => void) => {
      let release = (): void => {}
      gate = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
    apply: async (given: Record<string, unknown>): Promise<LiveWorkload> => {
      const spec = WorkloadSpec.parse({ name: 'one', type: 'service', run_mode: 'forever', command: ['true'], ...given })
      const owner = { kind: 'local', roots: ['/one.yaml'] } as const
      const planned = workloads.plan([{ spec, file: '/one.yaml' }], owner)
      if (!planned.ok) throw new Error('the name is taken')
      await workloads.apply(planned.plan, owner)
      const one = workloads.live.get('one')
      if (!one) throw new Error('it is not there')
      return one
    },
    close: (): void => {
      workloads.release()
      segments.close()
      journal.close()
    },
  }
}

const running = async (one: LiveWorkload): Promise<RunWatcher> => {
  await eventually('it runs', () => one.row.state === 'running')
  return world.started.at(-1)?.watcher ?? Promise.reject(new Error('nothing was started'))
}
const exited = (code: number) => ({ kind: 'exited', code }) as const

describe('while the end of a run is written down', () => {
  test('a stop changes what comes next, and not how the run has ended', async () => {
    const one = await world.apply({ restart: { delay_seconds: 0.01 } })
    const watcher = await running(one)
    const release = world.hold()
    watcher.ended(exited(3))
    const stopping = world.workloads.stop(one)
    release()
    await stopping
    await eventually('it has no run', () => one.run === null)
    expect(one.row).toMatchObject({ state: 'stopped', reason: 'stopped by hand', last_exit_code: 3 })
    expect(world.workloads.rows.history('one', 1)).toMatchObject([{ state: 'failed', reason: 'exited with 3', stop_for: null }])
  })

  test('a start by hand after a crash loop begins anew', async () => {
    const one = await world.apply({ restart: { crash_loop: { starts: 1, within_seconds: 60 } } })
    const watcher = await running(one)
    const release = world.hold()
    watcher.ended(exited(3))
    expect(one.row.state).toBe('crash_loop')
    const starting = world.workloads.start(one)
    release()
    await starting
    await eventually('it was started again', () => world.started.length === 2)
  })
})

describe('while the journal cannot be written', () => {
  test('what is to begin and is stopped does not begin when there is room', async () => {
    const one = await world.apply({ restart: { delay_seconds: 0.2 } })
    const watcher = await running(one)
    watcher.ended(exited(3))
    await eventually('its end is written down', () => one.run === null)
    const release = world.hold()
    await eventually('it begins again', () => one.row.state === 'starting')
    // Its begin waits to be written, and so does what is asked now.
    world.fill(true)
    const stopping = world.workloads.stop(one)
    release()
    await eventually('it is stopped', () => one.row.state === 'stopped')
    world.fill(false)
    await stopping
    await eventually('it has no run', () => one.run === null)
    expect(one.row).toMatchObject({ is_wanted: 0, state: 'stopped' })
    expect(world.workloads.rows.openRuns()).toEqual([])
  })

  test('apply throws, and nothing is taken in', async () => {
    world.fill(true)
    await expect(world.apply({})).rejects.toThrow('full')
    expect(world.workloads.live.size).toBe(0)
  })
})

describe('what a schedule was not wanted for', () => {
  test('is not made up for by the next daemon: a start and a change count from then on', async () => {
    const one = await world.apply({ run_mode: 'schedule', schedule: '0 * * * *', missed: 'all' })
    await world.workloads.stop(one)
    one.row = { ...one.row, last_slot: Date.now() - 3 * 3_600_000 }
    const startedAt = Date.now()
    await world.workloads.start(one)
    expect(world.workloads.rows.all()[0]?.last_slot).toBeGreaterThanOrEqual(startedAt)
    one.row = { ...one.row, last_slot: startedAt - 3 * 3_600_000 }
    await world.apply({ run_mode: 'schedule', schedule: '30 * * * *', missed: 'all' })
    expect(world.workloads.rows.all()[0]?.last_slot).toBeGreaterThanOrEqual(startedAt)
    expect(world.started).toEqual([])
  })
})

describe('missed: all', () => {
  test.each(['skip', 'replace', 'queue'])('makes up for each slot, one after the other, with overlap: %s', async (overlap) => {
    const one = await world.apply({ run_mode: 'schedule', schedule: '0 0 1 1 *', overlap })
    await world.workloads.stop(one)
    // Half an hour from now on either side, so that no slot falls into the test.
    const schedule = `${(new Date().getUTCMinutes() + 30) % 60} * * * *`
    const hours = { run_mode: 'schedule', schedule, timezone: 'UTC', overlap, missed: 'all', missed_within_seconds: 100_000 }
    const spec = WorkloadSpec.parse({ name: 'one', type: 'service', command: ['true'], ...hours })
    const due = 5
    const since = Date.now() - due * 3_600_000
    world.workloads.rows.put({ ...one.row, spec: JSON.stringify(spec), is_wanted: 1, last_slot: since })
    world.workloads.recover()
    for (let i = 0; i < due; i++) {
      await eventually(`run ${i} of ${due}`, () => world.started.length > i)
      world.started[i]?.watcher.ended(exited(0))
    }
    await eventually('all are over', () => world.workloads.live.get('one')?.run === null)
    const slots = world.workloads.rows.history('one', 100).map(({ slot, state }) => `${slot} ${state}`)
    expect([new Set(slots).size, slots.every((slot) => slot.endsWith('succeeded'))]).toEqual([due, true])
  })
})
