import { environmentOfUser, findUser } from '../runners/confinement/users.ts'
import type { LiveWorkload } from './live-workload.ts'
import { moduleShellWords } from './module-program.ts'
import { envOf, payloadOf } from './start-order.ts'

/** The environment that a program would get, from the daemon's own and from what is set for it. */
export type Surroundings = (
  own: Readonly<Record<string, string>>,
  payloadEnv: Readonly<Record<string, string>>,
) => Record<string, string>

/** All that is needed to run something where a workload runs, and as it does. */
export const cwdAndWordsOf = ({ spec, place }: LiveWorkload, surroundings: Surroundings) => {
  const { env = {}, cwd, command, script, args } = payloadOf(spec, place)
  const user = spec.user === undefined ? undefined : findUser(spec.user)
  return {
    workload: spec.name,
    env: surroundings({ ...(user ? environmentOfUser(user) : {}), ...envOf(spec, place) }, env),
    cwd: cwd ?? place.folder,
    user: spec.user ?? null,
    /** The numbers of that user. */
    identity: user === undefined ? null : { uid: user.uid, gid: user.gid },
    command: command ?? null,
    script: script ?? null,
    args: args ?? [],
    confined: confinements.filter((field) => spec[field] !== undefined),
    shell: spec.module === undefined ? null : moduleShellWords(spec),
  }
}

const confinements = [
  'sandbox',
  'memory_limit_mb',
  'cpu_nice',
  'cpu_weight',
  'cpu_limit_percent',
  'pids_limit',
  'open_files_limit',
] as const
