import { join } from 'node:path'
import { pathsIn } from '../../base/paths.ts'
import { type Installed, programFolderOf, unitFileOf, unitText } from './unit.ts'

/** One step of a plan. `ok` says that it does not matter if it fails. */
export type Step =
  | { do: 'copy'; from: string; to: string }
  | { do: 'try'; node: string; folder: string }
  | { do: 'folder'; path: string; mode: number }
  | { do: 'write'; path: string; text: string; mode: number; secret?: true }
  | { do: 'own'; paths: readonly string[]; user: string; recursive: boolean }
  | { do: 'switch'; link: string; to: string }
  | { do: 'systemctl'; args: readonly string[]; ok?: true }
  /** Until a daemon of this folder is ready and has stayed so: another than there was before the last `systemctl`. */
  | { do: 'wait'; unit: string; folder: string }
  | { do: 'remove'; path: string }
  | { do: 'remove-if-empty'; path: string }
  | { do: 'prune'; folder: string; keep: readonly string[] }

/** `undo` is what brings back what was there, if a step fails after the switch; without it everything stays as it came to be. */
export interface Plan {
  steps: Step[]
  undo: Step[]
}

/** What is on the machine before. */
export interface Before {
  /** The text of the unit, if there is one. */
  unitText: string | undefined
  /** As systemd has it: active, activating, inactive, failed, … */
  activeState: string
  /** Where the link of the prefix points, if there is one: a release's folder. */
  current: string | undefined
}

/** A built package, and the name of the release that it makes. */
export interface Package {
  folder: string
  release: string
}

const releaseOf = (prefix: string, release: string): string => join(prefix, 'releases', release)
/** Where the daemon finds itself when it runs: not the link, but what it points to. */
const runsIn = ({ program }: Installed, release: string): string =>
  program.kind === 'prefix' ? releaseOf(program.folder, release) : program.folder

/** How long two releases are kept: the one in use, and the one before. */
const keeping = (release: string, before: Before): string[] => [
  release,
  ...(before.current === undefined ? [] : [before.current.split('/').at(-1) ?? '']),
]

const placing = ({ program, node }: Installed, { folder, release }: Package): Step[] => {
  const to = program.kind === 'prefix' ? releaseOf(program.folder, release) : folder
  const trial: Step = { do: 'try', node, folder: to }
  return program.kind === 'prefix' ? [{ do: 'copy', from: folder, to }, trial] : [trial]
}

const switching = ({ program }: Installed, release: string): Step[] =>
  program.kind === 'prefix' ? [{ do: 'switch', link: programFolderOf({ program }), to: releaseOf(program.folder, release) }] : []

const writingUnit = (installed: Installed): Step[] => [
  { do: 'write', path: unitFileOf(installed.unit), text: unitText(installed), mode: 0o644 },
  { do: 'systemctl', args: ['daemon-reload'] },
]

const serviceOf = (unit: string): string => `${unit}.service`

/** How a daemon that may live is replaced, without a word to what it runs. */
const replacing = (unit: string, { activeState }: Before): Step[] => {
  switch (activeState) {
    case 'active':
      return [{ do: 'systemctl', args: ['reload', serviceOf(unit)] }]
    case 'inactive':
    case 'failed':
      return [{ do: 'systemctl', args: ['start', '--no-block', serviceOf(unit)] }]
    default:
      // It comes and goes by itself, and the next one is the new one.
      return killing(unit)
  }
}

/** Ends the pause after a daemon that has failed, and one that may hang. The daemon last: what is alive after that is the next one. */
const killing = (unit: string): Step[] =>
  [
    ['control', 'TERM'],
    ['main', 'KILL'],
  ].map(([who, signal]) => ({
    do: 'systemctl',
    args: ['kill', `--kill-who=${who}`, `--signal=${signal}`, serviceOf(unit)],
    ok: true,
  }))

/** The secrets that install was given; they go into files that only the daemon can read. */
export interface Secrets {
  joinToken: string | undefined
  token: string | undefined
}

export const joinTokenFileOf = (data: string): string => join(data, 'join.token')

/** Installing once more is no fault: it changes what is different, and leaves what runs alone. */
export const planInstall = (installed: Installed, pack: Package, secrets: Secrets, before: Before): Plan => {
  const { unit, data, device, user } = installed
  const paths = pathsIn(data)
  const own = paths.device(device)
  const line = (path: string, text: string): Step => ({ do: 'write', path, text: `${text}\n`, mode: 0o600, secret: true })
  const steps: Step[] = [
    ...placing(installed, pack),
    { do: 'folder', path: data, mode: 0o700 },
    { do: 'folder', path: paths.devices, mode: 0o700 },
    { do: 'folder', path: own.folder, mode: 0o700 },
    ...(secrets.joinToken === undefined ? [] : [line(joinTokenFileOf(data), secrets.joinToken)]),
    ...(secrets.token === undefined ? [] : [line(own.token, secrets.token)]),
    // What an earlier daemon has left may be of another user.
    ...(user === null
      ? []
      : ([
          { do: 'own', paths: [data, paths.devices], user, recursive: false },
          { do: 'own', paths: [own.folder, paths.membership, joinTokenFileOf(data)], user, recursive: true },
        ] satisfies Step[])),
    ...switching(installed, pack.release),
    ...writingUnit(installed),
    { do: 'systemctl', args: ['enable', serviceOf(unit)] },
    ...replacing(unit, before),
    { do: 'wait', unit, folder: runsIn(installed, pack.release) },
    // Ready, it has joined: nobody needs that token here any more.
    ...(secrets.joinToken === undefined ? [] : [{ do: 'remove', path: joinTokenFileOf(data) } satisfies Step]),
    ...pruning(installed, pack.release, before),
  ]
  return { steps, undo: [] }
}

/** The program is replaced and the daemon alone started anew. A new one that does not get ready makes room for the old one again. */
export const planUpgrade = (installed: Installed, pack: Package, before: Before): Plan => {
  const { unit } = installed
  const isNewUnit = before.unitText !== unitText(installed)
  const runs = before.activeState !== 'inactive' && before.activeState !== 'failed'
  const steps: Step[] = [
    ...placing(installed, pack),
    ...switching(installed, pack.release),
    ...(isNewUnit ? writingUnit(installed) : []),
    ...(runs
      ? ([...replacing(unit, before), { do: 'wait', unit, folder: runsIn(installed, pack.release) }] satisfies Step[])
      : []),
    ...pruning(installed, pack.release, before),
  ]
  if (installed.program.kind === 'in-place' || before.current === undefined) return { steps, undo: [] }
  const undo: Step[] = [
    { do: 'switch', link: programFolderOf(installed), to: before.current },
    ...(isNewUnit && before.unitText !== undefined
      ? ([
          { do: 'write', path: unitFileOf(unit), text: before.unitText, mode: 0o644 },
          { do: 'systemctl', args: ['daemon-reload'] },
        ] satisfies Step[])
      : []),
    // Whatever the new one hangs at, it has not taken anything over that the old one would not take up again.
    ...(runs ? ([...killing(unit), { do: 'wait', unit, folder: before.current }] satisfies Step[]) : []),
  ]
  return { steps, undo }
}

const pruning = ({ program }: Installed, release: string, before: Before): Step[] =>
  program.kind === 'prefix' ? [{ do: 'prune', folder: join(program.folder, 'releases'), keep: keeping(release, before) }] : []

/** What the daemon runs ends, and the service goes. The program stays while another unit uses it, the data unless it is to be purged. */
export const planUninstall = (installed: Installed, others: readonly Installed[], purge: boolean): Plan => {
  const { unit, program, data, device } = installed
  const paths = pathsIn(data)
  const isShared = others.some(({ program: other }) => other.kind === program.kind && other.folder === program.folder)
  const steps: Step[] = [
    { do: 'systemctl', args: ['disable', serviceOf(unit)], ok: true },
    { do: 'systemctl', args: ['stop', serviceOf(unit)] },
    // Between two daemons there is none that could end the programs.
    { do: 'systemctl', args: ['kill', '--kill-who=all', '--signal=KILL', serviceOf(unit)], ok: true },
    { do: 'remove', path: unitFileOf(unit) },
    { do: 'systemctl', args: ['daemon-reload'] },
    { do: 'systemctl', args: ['reset-failed', serviceOf(unit)], ok: true },
    ...(program.kind === 'prefix' && !isShared
      ? ([
          { do: 'remove', path: programFolderOf(installed) },
          { do: 'remove', path: join(program.folder, 'releases') },
          { do: 'remove-if-empty', path: program.folder },
        ] satisfies Step[])
      : []),
    ...(purge
      ? ([
          { do: 'remove', path: paths.device(device).folder },
          { do: 'remove', path: paths.membership },
          { do: 'remove', path: joinTokenFileOf(data) },
          { do: 'remove-if-empty', path: paths.devices },
          { do: 'remove-if-empty', path: data },
        ] satisfies Step[])
      : []),
  ]
  return { steps, undo: [] }
}

/** A step as it is told before or while it is done. */
export const stepText = (step: Step): string => {
  switch (step.do) {
    case 'copy':
      return `copy the program from ${step.from} to ${step.to}`
    case 'try':
      return `try the program in ${step.folder} with ${step.node}`
    case 'folder':
      return `make the folder ${step.path}, mode ${step.mode.toString(8)}`
    case 'write':
      return `write ${step.path}, mode ${step.mode.toString(8)}`
    case 'own':
      return `give ${step.paths.join(', ')} to ${step.user}${step.recursive ? ', with all below' : ''}`
    case 'switch':
      return `point ${step.link} to ${step.to}`
    case 'systemctl':
      return `systemctl ${step.args.join(' ')}`
    case 'wait':
      return `wait until ${step.unit} is ready`
    case 'remove':
      return `remove ${step.path}`
    case 'remove-if-empty':
      return `remove ${step.path}, if it is empty`
    case 'prune':
      return `remove releases below ${step.folder} other than ${step.keep.join(' and ')}`
  }
}
