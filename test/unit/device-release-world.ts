import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packFolder } from '../../base/bundle/pack.ts'
import { systemChance } from '../../base/chance.ts'
import { startGroupCommit } from '../../base/group-commit.ts'
import { silentLog } from '../../base/log.ts'
import { openSoundJournal } from '../../device/journal.ts'
import { loadBundleTools } from '../../device/releases/bundle-tools.ts'
import { keepReleases } from '../../device/releases/keep-releases.ts'
import type { Runner, StartOrder } from '../../device/runner.ts'
import { readFound } from '../../device/workloads/reading.ts'
import { createRequests } from '../../device/workloads/requests.ts'
import { setupOf } from '../../device/workloads/start-order.ts'
import { createWorkloads } from '../../device/workloads/workloads.ts'
import { blobPieceBytes, type Desired, type DesiredRelease, type Fetch, type ReportedRelease } from '../../schemas/desired.ts'
import { refused } from '../../schemas/errors.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'
import { commandOf, createMachine, type Program } from '../simulation/sim-machine.ts'
import { createSimSegments } from '../simulation/sim-segments.ts'

/** What a program of a test does, if nothing else is said: it goes on. */
export const steady: Program = { seconds: 1e9, code: 0, lines: 0, stubborn: false }

/** A workload that runs such a program, as YAML. */
export const workload = (name: string, program: Partial<Program> = {}, more: Record<string, unknown> = {}): string =>
  JSON.stringify({
    ...{ name, type: 'service', run_mode: 'forever', command: commandOf({ ...steady, ...program }) },
    ...{ restart: { delay_seconds: 1, jitter: 0 }, stop_grace_seconds: 1, ...more },
  })

/** A bundle of some files, as somebody packs it. */
export const packed = async (files: Readonly<Record<string, string | Buffer>>) => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-pack-'))
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, 'in', path)), { recursive: true })
      writeFileSync(join(folder, 'in', path), content)
    }
    const made = await packFolder(join(folder, 'in'), join(folder, 'bundle'))
    if (!made.ok) throw new Error(made.faults[0]?.message)
    return { digest: made.digest, bundle: made.bundle, bytes: readFileSync(join(folder, 'bundle')) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
type Pack = Awaited<ReturnType<typeof packed>>

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/**
 * The releases and workloads of a device over real files and a real journal, on simulated time and a simulated machine, beside a
 * controller that brings bundles. The daemon can be killed at any moment.
 */
export const createReleaseWorld = () => {
  const root = mkdtempSync(join(tmpdir(), 'skein-release-'))
  const folder = join(root, 'device')
  mkdirSync(folder)
  const time = createTime()
  const machine = createMachine(time, 'd')
  const bundles = new Map<string, Buffer>()
  /** What the way to the controller does. */
  const wire = {
    isUp: true,
    isReached: true,
    asked: [] as Fetch[],
    bend: (piece: Buffer, _offset: number): Buffer | null => piece,
  }
  const room = { lack: undefined as string | undefined }
  const cannot = { run: undefined as string | undefined }
  const orders = new Map<string, StartOrder>()
  /** Each step of the daemon that somebody could be killed at; gives whether it goes on. */
  let onStep = (_what: string): void => {}
  /** What is being done on the disk, which no process of this test can be kept from ending. */
  let atWork: Promise<unknown> = Promise.resolve()
  const never = new Promise<never>(() => {})

  const open = () => {
    const life = { isDead: false, wallOffsetMs: 0 }
    const clock = clockOf(time, life)
    const { journal, damage } = openSoundJournal(join(folder, 'journal.db'), 0)
    /** Nothing follows in a process that is dead. */
    const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
      onStep(`before ${what}`)
      if (life.isDead) return never
      const working = work()
      atWork = Promise.all([atWork, working.catch(() => undefined)])
      const value = await working
      onStep(`after ${what}`)
      return life.isDead ? never : value
    }
    const commits = startGroupCommit(journal.db, clock)
    const stepped: typeof commits = {
      run: (work, outlives) => step('a commit', () => commits.run(work, outlives)),
      flush: commits.flush,
    }
    const real = machine.runnerFor(life)
    const runner: Runner = {
      ...real,
      start: (order, watcher) => {
        orders.set(order.run, order)
        return real.start(order, watcher)
      },
      lacks: () => cannot.run,
    }
    const workloads = createWorkloads({
      ...{ device: 'd', fleet: 'f', folder: join(folder, 'workloads'), outputs: join(folder, 'output'), db: journal.db },
      ...{ commits: stepped, runner, segments: createSimSegments(() => time.now()).segments, clock, chance: systemChance },
      ...{ log: silentLog, boot: machine.boot(), timezone: 'UTC' },
      trust: () => ({ isTrusted: true, because: 'a test says so' }),
      surroundings: (own, payload) => ({ ...own, ...payload }),
      logBudget: () => 1e9,
      publish: () => true,
      changed: () => {},
      moved: (one) => releases.moved(one),
      failed: (one) => releases.failed(one),
    })
    const read = (paths: readonly string[]) => readFound(paths, false, { env: {}, device: { name: 'd', labels: {} } })
    const answer = (fetch: Fetch): void => {
      wire.asked.push(fetch)
      const bytes = bundles.get(fetch.sha256)
      if (!bytes || !wire.isUp) return
      const end = Math.min(fetch.offset + fetch.length, bytes.length)
      for (let at = fetch.offset; at < end; at += blobPieceBytes) {
        const piece = wire.bend(Buffer.from(bytes.subarray(at, Math.min(at + blobPieceBytes, end))), at)
        if (piece) clock.after(2, () => wire.isUp && releases.blob(fetch.sha256, at, piece))
      }
    }
    const told: (ReportedRelease[] | undefined)[] = []
    const releases = keepReleases({
      workloads,
      read: (path) => read(existsSync(path) ? [path] : []),
      lacks: ({ spec, file }) =>
        runner.lacks(setupOf(spec, { fleet: 'f', device: 'd', folder: join(folder, 'workloads'), file, output: '' })),
      ...{
        root: join(folder, 'releases'),
        journal,
        room: { lacks: () => room.lack },
        clock,
        boot: machine.boot(),
        log: silentLog,
      },
      tools: async () => {
        const tools = await loadBundleTools()
        return {
          unpack: (...all) => step('unpacking', () => tools.unpack(...all)),
          verify: (...all) => step('a look at a folder', () => tools.verify(...all)),
        }
      },
      port: {
        ...{ commits: stepped, controllerNow: clock.now, isReached: () => wire.isReached && wire.isUp },
        blobs: { isOpen: () => wire.isUp, ask: answer },
        changed: () => void told.push(releases.reported()),
        tellNow: () => void told.push(releases.reported()),
      },
    })
    const requests = createRequests({
      ...{ workloads, refuses: () => undefined, lacks: () => undefined, surroundings: (own) => own },
      read: (paths) => read(paths),
      shells: { ask: async () => refused('not_supported', 'no shells here') },
    })
    workloads.recover()
    releases.recover()
    return { life, clock, journal, damage, workloads, releases, requests, told }
  }
  let now = open()
  let revision = 0

  const pass = async (ms = 0): Promise<void> => {
    const until = time.now() + ms
    for (let still = 0; still < 3; ) {
      await new Promise((resolve) => setImmediate(resolve))
      still = time.step(until) ? 0 : still + 1
    }
  }

  const world = {
    root,
    folder,
    wire,
    room,
    cannot,
    machine,
    /** Releases that lie unpacked, and what has come of others. */
    files: (): string[] => (existsSync(join(folder, 'releases')) ? readdirSync(join(folder, 'releases')).sort() : []),
    part: ({ bundle }: Pack): string => join(folder, 'releases', `${bundle.sha256}.part`),
    unpacked: ({ digest }: Pick<Pack, 'digest'>): string => join(folder, 'releases', digest),
    now: () => now,
    pass,
    /** Lets time pass until something is so. */
    until: async <T>(what: string, look: () => T, withinMs = 180_000): Promise<T> => {
      const end = time.now() + withinMs
      for (let tries = 0; ; tries++) {
        const value = look()
        if (value) return value
        if (time.now() >= end) throw new Error(`Waited in vain for ${what}: ${JSON.stringify(now.releases.reported())}`)
        // At first slowly, since the disk takes real time.
        await pass(Math.min(25 * 2 ** (tries / 8), 400))
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    },
    shown: (name: string): ReportedRelease | undefined => now.releases.reported()?.find((one) => one.name === name),
    /** What is wanted of a pack. */
    release: (name: string, version: string, pack: Pack, more: Partial<DesiredRelease> = {}): DesiredRelease => {
      bundles.set(pack.bundle.sha256, pack.bytes)
      return {
        ...{ name, version, digest: pack.digest, bundle: pack.bundle, deployment: `deploy-${name}-${version}` },
        judge: { min_healthy_seconds: 5, health_timeout_seconds: 60, goes_back: true },
        signature: { protected: '', payload: '', signature: '' },
        ...more,
      }
    },
    /** The controller says what is to run; all of it. */
    want: async (...releases: DesiredRelease[]): Promise<void> => {
      revision++
      const desired: Desired = { fleet: 'f', device: 'd', revision, epoch: 1, at: '2026-01-01T00:00:00.000Z', releases }
      void now.releases.take(desired)
      await world.until('the document is in the journal', () => now.releases.seen()?.revision === revision)
    },
    state: async (name: string, state: ReportedRelease['state']): Promise<ReportedRelease> =>
      world.until(`${name} is ${state}`, () => {
        const one = world.shown(name)
        return one?.state === state && one
      }) as Promise<ReportedRelease>, // it is truthy
    /** As which release programs run, by their workload: the machine's own word. */
    running: (): Record<string, string> =>
      Object.fromEntries(
        machine
          .alive()
          .map((run) => orders.get(run))
          .map((order) => [order?.env['SKEIN_WORKLOAD'] ?? '?', order?.payload.env?.['SKEIN_RELEASE'] ?? 'local'] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    order: (workload: string): StartOrder | undefined =>
      machine
        .alive()
        .map((run) => orders.get(run))
        .find((order) => order?.env['SKEIN_WORKLOAD'] === workload),
    /** Called at each step that the daemon takes. */
    atSteps: (call: (what: string) => void): void => {
      onStep = call
    },
    /** The daemon is gone within this very step. */
    die: (): void => {
      now.life.isDead = true
    },
    /** The next daemon begins, with a reboot of the machine before if that is said. `meanwhile`: what happens to its files. */
    restart: async ({ reboots = false, meanwhile = (): void => {} } = {}): Promise<void> => {
      world.die()
      onStep = () => {}
      // The kernel ends what it was told to write; and of what was never begun nothing is waited for.
      await Promise.race([atWork, new Promise((resolve) => setTimeout(resolve, 50))])
      now.releases.close()
      now.workloads.release()
      now.journal.close()
      if (reboots) machine.reboot()
      meanwhile()
      now = open()
      await pass()
    },
    copyTo: (other: string): void => cpSync(folder, other, { recursive: true }),
    close: (): void => {
      now.life.isDead = true
      now.releases.close()
      now.workloads.release()
      now.journal.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
  return world
}
export type ReleaseWorld = ReturnType<typeof createReleaseWorld>
