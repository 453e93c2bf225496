import { spawnSync } from 'node:child_process'
import { chmodSync, closeSync, existsSync, fchownSync, mkdirSync, openSync, statSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import type { RunSetup } from '../../runner.ts'
import { quote } from '../command-line.ts'
import type { Abilities } from './abilities.ts'
import type { Cgroups } from './cgroups.ts'
import type { Kept } from './kept.ts'
import { wordsInSandbox } from './sandbox.ts'
import { environmentOfUser, findUser, type User, wordsAs } from './users.ts'
import { give, isWithin, openWay } from './way.ts'

export interface ConfineDeps {
  cgroups: Cgroups
  abilities: Abilities
  /** The data folder: ways to what lies in it may be opened for the users of runs. */
  data: string
}

/** A program as a shell has found it. */
export interface Program {
  path: string
  argv: readonly string[]
  isDirect: boolean
}

/** How the start of a run differs because of its setup. */
export interface Confined {
  env: Readonly<Record<string, string>>
  /** Where relative paths begin. */
  work: string
  /** Lines for the shell that becomes the program. */
  before: string
  wrap(program: Program, cwd: string, script: string | undefined): Program
  kept: Kept
}

/** Prepares what a setup asks for, as far as that is done before the program is there; or says why it cannot be. */
export const confine = (
  { cgroups, abilities, data }: ConfineDeps,
  run: string,
  folder: string,
  setup: RunSetup,
): ({ ok: true } & Confined) | { ok: false; reason: string } => {
  const lacking = abilities.lacks(setup)
  if (lacking !== undefined) return { ok: false, reason: `cannot_start: ${lacking}` }
  const user = setup.user === undefined ? undefined : otherUser(setup.user)
  const work = setup.folder ?? join(folder, 'work')
  makeFolder(work, user, data)
  if (user) {
    give(
      ['out', 'err', 'work'].map((name) => join(folder, name)),
      user,
    )
    // With what was put into them.
    if (setup.own) spawnSync('chown', ['-R', '-h', `${user.uid}:${user.gid}`, ...setup.own], { stdio: 'ignore' })
    for (const place of [work, join(folder, 'work'), ...(setup.own ?? [])]) {
      const way = openWay(place, user, data)
      if (!way.ok)
        return {
          ok: false,
          reason: `cannot_start: user ${JSON.stringify(setup.user)} cannot enter ${JSON.stringify(way.closed)}`,
        }
    }
  }
  const tmp = join(folder, 'tmp')
  if (setup.sandbox?.private_tmp) {
    mkdirSync(tmp, { recursive: true })
    chmodSync(tmp, 0o1777)
  }
  if (setup.output?.kind === 'file') prepareFile(setup.output.path, user)
  const cgroup = cgroups.make(run, setup)
  return {
    ok: true,
    env: user ? environmentOfUser(user) : {},
    work,
    before: linesBefore(setup, cgroup?.all ?? []),
    wrap: (program, cwd, script) => {
      const words: string[] = []
      // While it is still allowed: a priority may be raised by root alone.
      if (setup.nice !== undefined && abilities.nice !== undefined)
        words.push(abilities.nice, '-n', String(setup.nice - getPriority()))
      if (setup.sandbox && abilities.bwrap !== undefined) {
        const isRoot = process.geteuid?.() === 0
        words.push(
          ...wordsInSandbox({
            bwrap: abilities.bwrap,
            sandbox: setup.sandbox,
            folder: work,
            own: setup.own ?? [],
            cwd,
            tmp,
            script,
            isRoot,
          }),
        )
      }
      if (user && abilities.setpriv !== undefined) words.push(...wordsAs(user, abilities.setpriv))
      const [first] = words
      if (first === undefined) return program
      if (script !== undefined && user) give([script], user)
      return { path: first, argv: [...words, ...program.argv], isDirect: true }
    },
    kept: {
      hasPipes: setup.output === undefined,
      hasMonitor: setup.sandbox !== undefined,
      ...(cgroup ? { cgroup } : {}),
      ...(setup.memoryMb === undefined ? {} : { memoryMb: setup.memoryMb }),
    },
  }
}

/** The user, if it is not the one that the daemon runs as. */
const otherUser = (name: string): User | undefined => {
  const user = findUser(name)
  return user?.uid === process.geteuid?.() ? undefined : user
}

/** What lies in the data folder is the device's to give away; any other folder belongs to whom it belongs to. */
const makeFolder = (path: string, user: User | undefined, data: string): void => {
  const isNew = !existsSync(path)
  if (isNew) mkdirSync(path, { recursive: true, mode: 0o700 })
  if (!user || statSync(path).uid === user.uid) return
  if (isNew) give([path], user)
  // chown follows no link that an earlier user may have put there, and walks from folder to folder without naming paths anew.
  else if (isWithin(path, data) && path !== data)
    spawnSync('chown', ['-R', '-h', `${user.uid}:${user.gid}`, path], { stdio: 'ignore' })
}

/** Makes it the user's, because `> /dev/stderr` opens it again as that user. */
const prepareFile = (path: string, user: User | undefined): void => {
  const fd = openSync(path, 'a', 0o640)
  try {
    if (user) fchownSync(fd, user.uid, user.gid)
  } finally {
    closeSync(fd)
  }
}

const linesBefore = ({ openFiles, output }: RunSetup, cgroups: readonly string[]): string => {
  const lines = [`no() { echo "refused $1" >>claim; exit 125; }`]
  // The shell goes in first: whatever comes of it is born inside.
  for (const folder of cgroups)
    lines.push(`{ echo 0 >${quote(`${folder}/cgroup.procs`)}; } 2>/dev/null || no 'its cgroup cannot be entered'`)
  if (openFiles !== undefined) lines.push(`ulimit -n ${openFiles} 2>/dev/null || no 'its number of open files cannot be limited'`)
  if (output?.kind === 'none') lines.push('exec >/dev/null 2>&1')
  // "command" keeps a shell from ending at once where it cannot.
  if (output?.kind === 'file')
    lines.push(`command exec >>${quote(output.path)} 2>&1 || no 'the file for its output cannot be opened'`)
  return `${lines.join('\n')}\n`
}
