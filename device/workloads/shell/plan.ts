import { existsSync } from 'node:fs'
import { accepted, refused } from '../../../schemas/errors.ts'
import { findUser, wordsAs } from '../../runners/confinement/users.ts'
import type { LiveWorkload } from '../live-workload.ts'
import { prepareFolder } from '../start-order.ts'
import { cwdAndWordsOf, type Surroundings } from '../surroundings.ts'
import type { ShellPlan } from './sessions.ts'
import { scriptPath } from './terminal.ts'

/** What a shell of a workload runs: in its environment and folder and as its user, for a module a prompt; not within its limits. */
export const shellPlanOf = (one: LiveWorkload, surroundings: Surroundings, term: string): ShellPlan => {
  const cannot = (message: string) => refused('not_supported', message, [{ field: 'device', code: 'no_shell', message }])
  if (scriptPath() === undefined) return cannot('this device has no script(1), of util-linux (Debian: bsdutils)')
  const as = wordsFor(one.spec.user)
  if (!as.ok) return cannot(as.reason)
  if (!existsSync(one.place.folder)) prepareFolder(one.spec, one.place)
  const { env, cwd, shell } = cwdAndWordsOf(one, surroundings)
  if (!existsSync(cwd)) return cannot(`there is no folder ${cwd}`)
  const own = shellOf(env['SHELL'])
  return accepted({ words: shell ?? [own], as: as.words, env: { ...env, SHELL: own, TERM: term }, cwd })
}

/** A user of services often has none that lets anybody in. */
const shellOf = (named: string | undefined): string => {
  if (named !== undefined && existsSync(named) && !/\/(nologin|false|true)$/.test(named)) return named
  return existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh'
}

const wordsFor = (name: string | undefined): { ok: true; words: readonly string[] } | { ok: false; reason: string } => {
  if (name === undefined) return { ok: true, words: [] }
  const user = findUser(name)
  if (!user) return { ok: false, reason: `there is no user "${name}" on this device` }
  if (user.uid === process.geteuid?.()) return { ok: true, words: [] }
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/local/bin/setpriv'].find((path) => existsSync(path))
  if (process.geteuid?.() !== 0 || setpriv === undefined)
    return { ok: false, reason: `only root can open a shell as "${name}", with setpriv (util-linux)` }
  return { ok: true, words: wordsAs(user, setpriv) }
}
