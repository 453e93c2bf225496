import { type Command, InvalidArgumentError } from 'commander'
import type { InputOf } from '../../schemas/operations.ts'
import type { Act, Verb } from './act.ts'
import { flagsOf, limitFlag, pairFlag, runFlagsOf, wholeFlag, withGlobals } from './flags.ts'
import type { GlobalFlags, Io } from './io.ts'
import { withLogPart } from './log-part.ts'
import type { WorkloadLogsFlags } from './workload-logs.ts'

const filters = {
  device: 'only on this device',
  selector: 'only on devices that match, as in role=builder,os=linux',
  state: 'only in these states, as in failed,crash_loop',
  name: 'only of this name',
  tag: 'only with this tag',
} satisfies Record<Exclude<keyof InputOf<'workload.list'>, 'limit' | 'cursor'>, string>

const changes = {
  start: 'start workloads; those that have ended or looped begin anew',
  stop: 'stop workloads; they stay so until they are started',
  restart: 'stop workloads and start them again',
} as const

const onDevice = 'on this device (may be left out where only one has such a workload)'
/** What a command may take if nothing is said. */
const execSeconds = 30

/** The verbs about workloads, asked through the broker. */
export const addWorkloadVerbs = (program: Command, io: Io, act: Act, verb: Verb): void => {
  const load = () => import('./workload.ts')
  const workload = withGlobals(
    program.command('workload').description('look at the workloads of devices, start, stop and read them'),
  ).enablePositionalOptions()

  const list = verb(workload, 'list', 'list workloads as their devices have reported them').option(
    '--limit <count>',
    'at most so many (1 to 1000, default 1000)',
    limitFlag,
  )
  for (const [field, about] of Object.entries(filters)) list.option(`--${field} <value>`, about)
  list.action((_options, command: Command) => {
    const given = command.opts<Record<string, unknown>>()
    const named = Object.keys(filters).flatMap((field) => (given[field] === undefined ? [] : [[field, String(given[field])]]))
    const flags = { ...flagsOf(command), ...command.opts<{ limit?: number }>() }
    return act(load().then((one) => one.listWorkloads(io, flags, Object.fromEntries(named))))
  })
  verb(workload, 'status', 'show workloads as their devices have reported them')
    .argument('<workload...>')
    .option('--device <name>', onDevice)
    .action((names: string[], _options, command: Command) =>
      act(load().then((one) => one.showWorkloads(io, withDevice(command), names))),
    )
  for (const [what, about] of Object.entries(changes) as [keyof typeof changes, string][]) // Object.entries forgets the keys' type
    verb(workload, what, about)
      .argument('<workload...>')
      .option('--device <name>', onDevice)
      .action((names: string[], _options, command: Command) =>
        act(load().then((one) => one.changeWorkloads(io, withDevice(command), what, names))),
      )
  verb(workload, 'reload', 'let a device read its files again, and touch only what has changed')
    .option('--device <name>', 'this device (may be left out where there is only one)')
    .action((_options, command: Command) => act(load().then((one) => one.reloadWorkloads(io, withDevice(command)))))
  verb(workload, 'history', 'show the last runs of a workload, as its device has them')
    .argument('<workload>')
    .option('--device <name>', onDevice)
    .option('--limit <count>', 'at most so many (1 to 200, default 20)', countFlag)
    .action((name: string, _options, command: Command) =>
      act(load().then((one) => one.showHistory(io, { ...withDevice(command), ...command.opts<{ limit?: number }>() }, name))),
    )
  withLogPart(
    verb(workload, 'logs', 'print the last lines of a workload, or a part of its log, as its device has it'),
    'only the last lines (default 50)',
  )
    .argument('<workload>')
    .option('--device <name>', onDevice)
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .action((name: string, _options, command: Command) =>
      act(import('./workload-logs.ts').then((one) => one.showWorkloadLogs(io, logsFlagsOf(command), name))),
    )
  verb(workload, 'shell', 'open a shell where a workload runs, for admins, where the device lets them (its setting remote_shell)')
    .argument('<workload>')
    .option('--device <name>', onDevice)
    .action((name: string, _options, command: Command) =>
      act(import('./workload-shell.ts').then((one) => one.openShell(io, withDevice(command), name))),
    )
  withGlobals(
    workload.command('exec').description('run a command in the environment and the folder of a workload, as its user'),
    'connect-timeout',
  )
    .argument('<workload>')
    .argument('<command...>', 'after --: a program with its arguments, or one word as a line for sh -c')
    .option('--device <name>', onDevice)
    .option('--timeout <seconds>', `how long the command may take (default ${execSeconds}, 0 for ever)`, patienceFlag)
    .option('--env <name=value>', 'set a variable (repeatable)', pairFlag)
    .option('--cwd <folder>', "run in this folder; a relative one begins in the workload's")
    .action((name: string, words: string[], _options, command: Command) => {
      const { workTimeout = execSeconds, ...flags } = runFlagsOf(command)
      const limited = workTimeout === 0 ? flags : { ...flags, workTimeout }
      return act(load().then((one) => one.execIn(io, limited, name, words)))
    })
}

const withDevice = (command: Command): GlobalFlags & { device?: string } => ({
  ...flagsOf(command),
  ...command.opts<{ device?: string }>(),
})
const logsFlagsOf = (command: Command): WorkloadLogsFlags => ({
  ...flagsOf(command),
  ...command.opts<Omit<WorkloadLogsFlags, keyof GlobalFlags>>(),
})

const countFlag = (text: string): number => {
  const value = wholeFlag(text)
  if (value < 1 || value > 200) throw new InvalidArgumentError('It must be from 1 to 200.')
  return value
}

const patienceFlag = (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0) || value > 366 * 24 * 3600)
    throw new InvalidArgumentError('It must be a number of seconds, or 0.')
  return value
}
