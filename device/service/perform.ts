import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, renameSync, rmdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { Clock } from '../../base/clock.ts'
import { copyPackage, pruneReleases } from './package.ts'
import type { Plan, Step } from './plan.ts'
import { systemctl, unitState, waitUntilReady } from './systemd.ts'

export interface PerformDeps {
  unit: string
  clock: Clock
  waitMs: number
  /** Told before each step, and while one is waited for. */
  progress: (text: string) => void
  tell: (step: Step) => string
}

/** What came of a plan: all of it done, or a step failed, and what was undone for that. */
export type Outcome =
  | { kind: 'done' }
  | { kind: 'failed'; step: Step; reason: string; undone: 'nothing' | 'all' | { reason: string } }

/** Carries out a plan. Steps before the switch of the program have nothing to undo. */
export const perform = async ({ steps, undo }: Plan, deps: PerformDeps): Promise<Outcome> => {
  let isSwitched = false
  const seen: Seen = { pid: 0 }
  for (const step of steps) {
    try {
      isSwitched ||= step.do === 'switch'
      await performStep(step, seen, deps)
    } catch (error) {
      const failed = { kind: 'failed', step, reason: textOf(error) } as const
      if (!isSwitched || undo.length === 0) return { ...failed, undone: 'nothing' }
      deps.progress(`failed: ${failed.reason}`)
      try {
        for (const back of undo) await performStep(back, seen, deps)
        return { ...failed, undone: 'all' }
      } catch (second) {
        return { ...failed, undone: { reason: textOf(second) } }
      }
    }
  }
  return { kind: 'done' }
}

/** The daemon that there was before systemd was last asked for something. */
interface Seen {
  pid: number
}

const performStep = async (step: Step, seen: Seen, deps: PerformDeps): Promise<void> => {
  deps.progress(deps.tell(step))
  switch (step.do) {
    case 'copy':
      return copyPackage(step.from, step.to)
    case 'try':
      return tryProgram(step.node, step.folder)
    case 'folder':
      return void mkdirSync(step.path, { recursive: true, mode: step.mode })
    case 'write':
      writeFileAtomic(step.path, step.text, step.mode)
      return chmodSync(step.path, step.mode)
    case 'own':
      return own(step.paths, step.user, step.recursive)
    case 'switch':
      return switchLink(step.link, step.to)
    case 'systemctl':
      seen.pid = unitState(deps.unit).lastPid
      return systemctl(step.args).catch((error: unknown) => {
        if (!step.ok) throw error
      })
    case 'wait': {
      const { unit, folder } = step
      const progress = (text: string): void => deps.progress(`${unit} is ${text}`)
      await waitUntilReady({ unit, folder, before: seen.pid, waitMs: deps.waitMs, clock: deps.clock, look: unitState, progress })
      return
    }
    case 'remove':
      return rmSync(step.path, { recursive: true, force: true })
    case 'remove-if-empty':
      return removeIfEmpty(step.path)
    case 'prune':
      return pruneReleases(step.folder, step.keep)
  }
}

/** Whether this Node runs the program, with its native addon. */
const tryProgram = (node: string, folder: string): void => {
  const addon = join(folder, 'node_modules/better-sqlite3')
  for (const args of [
    ['-e', 'new (require(process.argv[1]))(":memory:").close()', addon],
    [join(folder, 'bin/skein'), 'device', '--help'],
  ]) {
    const { status, stderr, error } = spawnSync(node, args, { encoding: 'utf8', timeout: 60_000 })
    if (status !== 0) {
      const why = error?.message ?? (/^\w*Error: .*$/m.exec(stderr)?.[0] || stderr.trim().split('\n').at(-1))
      throw new Error(`The program in "${folder}" does not run with "${node}": ${why ?? `it exits with ${status}`}`)
    }
  }
}

const own = (paths: readonly string[], user: string, recursive: boolean): void => {
  const there = paths.filter((path) => existsSync(path))
  const { status, stderr } = spawnSync('chown', [...(recursive ? ['-R'] : []), `${user}:`, '--', ...there], { encoding: 'utf8' })
  if (there.length > 0 && status !== 0) throw new Error(`Cannot give files to "${user}": ${stderr?.trim()}`)
}

/** Whoever starts through the link finds the old folder or the new one. */
const switchLink = (link: string, to: string): void => {
  const draft = `${link}.new`
  rmSync(draft, { force: true })
  symlinkSync(to, draft)
  if (lstatSync(link, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`"${link}" is a folder, and should be a link`)
  renameSync(draft, link)
}

const removeIfEmpty = (path: string): void => {
  try {
    rmdirSync(path)
  } catch {
    // Not there, or something is in it that is not ours to remove.
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
