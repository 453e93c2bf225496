import { Command } from 'commander'
import { version } from '../../base/version.ts'
import type { InputOf } from '../../schemas/operations.ts'
import type { Act } from './act.ts'
import type { BackupFlags, RestoreFlags } from './backup.ts'
import type { BrokerConfigFlags } from './broker-config/broker-config.ts'
import {
  ageFlag,
  dryRunAbout,
  flagsOf,
  limitFlag,
  runFlagsOf,
  severalFlag,
  wholeFlag,
  withGlobals,
  withTaskFlags,
} from './flags.ts'
import type { GlobalFlags, Io } from './io.ts'
import { type LogPart, withLogPart } from './log-part.ts'
import { addAgentVerbs } from './program-agent.ts'
import { addDeploymentVerbs } from './program-deployments.ts'
import { addDeviceVerbs } from './program-devices.ts'
import { addLocalVerbs } from './program-local.ts'
import { addTrustVerbs } from './program-trust.ts'
import { addWorkloadVerbs } from './program-workload.ts'
import { addValidate } from './program-workloads.ts'
import type { PruneFlags } from './prune.ts'
import type { ListFlags } from './task.ts'
import type { LogsFlags } from './task-logs.ts'

/** The filters of the list verbs: one flag for each field of the operation's input. */
const taskFilters = {
  state: 'only of these states, as in queued,active',
  type: 'only of these types',
  priority: 'only of these priorities',
  source: 'only from this source',
  requested_by: 'only asked for by this subject',
  device: 'only on this device',
  repository: 'only for this repository',
  tag: 'only with this tag',
  since: 'only created at or after this time (ISO 8601)',
  until: 'only created before this time (ISO 8601)',
} satisfies Record<Exclude<keyof InputOf<'task.list'>, 'limit' | 'cursor'>, string>
const deviceFilters = {
  state: 'only of these states: online, stale, offline',
  selector: 'only those that match, as in role=builder,os=linux',
} satisfies Record<Exclude<keyof InputOf<'device.list'>, 'limit' | 'cursor'>, string>

/** The tree of verbs. `act` is given the exit status that a verb comes to; what a verb needs is loaded when it runs. */
export const programOf = (io: Io, act: Act): Command => {
  const program = withGlobals(new Command('skein'))
    .description('Runs scripts, services, scheduled jobs and AI agents on a fleet of small Linux machines.')
    .version(version, '--version', 'print the version')
    .enablePositionalOptions()
    .addHelpText('after', partsHelp)
  const verb = (parent: Command, usage: string, about: string): Command => withGlobals(parent.command(usage).description(about))

  withTaskFlags(program.command('run').description('run a command on a device and follow its output'))
    .argument('<command...>', 'a program with its arguments after --, or one word as a line for sh -c')
    .passThroughOptions()
    .action((words: string[], _options, command: Command) =>
      act(import('./run.ts').then(({ run }) => run(io, runFlagsOf(command), words))),
    )

  const task = withGlobals(program.command('task').description('submit, watch and cancel tasks')).enablePositionalOptions()
  verb(task, 'submit', 'submit the task in a file (JSON or YAML; a list for several), or from - for standard input')
    .argument('<file>')
    .option('--dry-run', dryRunAbout)
    .action((file: string, _options, command: Command) =>
      act(
        command.opts<{ dryRun?: boolean }>().dryRun
          ? import('./preview.ts').then((one) => one.previewFile(io, flagsOf(command), file))
          : import('./task.ts').then((one) => one.submitTasks(io, flagsOf(command), file)),
      ),
    )
  const list = verb(task, 'list', 'list tasks, newest first').option(
    '--limit <count>',
    'at most so many (1 to 1000, default 50)',
    limitFlag,
  )
  for (const [field, about] of Object.entries(taskFilters)) list.option(`--${dashed(field)} <value>`, about)
  list.action((_options, command: Command) =>
    act(import('./task.ts').then((one) => one.listTasks(io, listFlagsOf(command), filtersOf(command, Object.keys(taskFilters))))),
  )
  verb(task, 'get', 'show a task with its runs and its history')
    .argument('<task>')
    .action((id: string, _options, command: Command) =>
      act(import('./task.ts').then((one) => one.getTask(io, flagsOf(command), id))),
    )
  verb(task, 'wait', 'wait until tasks have ended; succeeds if all of them did')
    .argument('<task...>')
    .action((ids: string[], _options, command: Command) =>
      act(import('./task-wait.ts').then((one) => one.waitForTasks(io, flagsOf(command), ids))),
    )
  withLogPart(verb(task, 'logs', 'print the output of a task'), 'only the last lines')
    .argument('<task>')
    .option('-f, --follow', 'go on until the task has ended')
    .option('--run <run>', 'of this run instead of the last')
    .action((id: string, _options, command: Command) =>
      act(import('./task-logs.ts').then((one) => one.showLogs(io, logsFlagsOf(command), id))),
    )
  verb(task, 'events', 'print what the agent of a task does, an event as JSON to a line')
    .argument('<task>')
    .option('--after <number>', 'only those behind this one', wholeFlag)
    .option('--run <run>', 'of this run instead of the last')
    .action((id: string, _options, command: Command) =>
      act(
        import('./task.ts').then((one) =>
          one.showEvents(io, { ...flagsOf(command), ...command.opts<{ run?: string; after?: number }>() }, id),
        ),
      ),
    )
  verb(task, 'say', 'tell the agent of a task something while it works')
    .argument('<task>')
    .argument('<text...>')
    .action((id: string, words: string[], _options, command: Command) =>
      act(import('./task.ts').then((one) => one.sayToTask(io, flagsOf(command), id, words))),
    )
  verb(task, 'cancel', 'cancel tasks')
    .argument('<task...>')
    .action((ids: string[], _options, command: Command) =>
      act(import('./task.ts').then((one) => one.cancelTasks(io, flagsOf(command), ids))),
    )
  verb(task, 'retry', 'submit a task that has ended once more, as a new task')
    .argument('<task>')
    .action((id: string, _options, command: Command) =>
      act(import('./task.ts').then((one) => one.retryTask(io, flagsOf(command), id))),
    )

  const device = withGlobals(
    program.command('device').description('look at devices, join, drain, label and remove them'),
  ).enablePositionalOptions()
  const devices = verb(device, 'list', 'list devices, newest first').option(
    '--limit <count>',
    'at most so many (1 to 1000, default 50)',
    limitFlag,
  )
  for (const [field, about] of Object.entries(deviceFilters)) devices.option(`--${dashed(field)} <value>`, about)
  devices.action((_options, command: Command) =>
    act(
      import('./device.ts').then((one) =>
        one.listDevices(io, listFlagsOf(command), filtersOf(command, Object.keys(deviceFilters))),
      ),
    ),
  )
  verb(device, 'get', 'show a device')
    .argument('<device>')
    .action((name: string, _options, command: Command) =>
      act(import('./device.ts').then((one) => one.getDevice(io, flagsOf(command), name))),
    )

  addDeviceVerbs(device, io, act, verb)
  addWorkloadVerbs(program, io, act, verb)
  addAgentVerbs(program, io, act, verb)
  addDeploymentVerbs(program, device, io, act, verb)
  const token = withGlobals(program.command('token').description('make, list and revoke tokens')).enablePositionalOptions()
  const key = withGlobals(
    program.command('key').description('the keys that commands to devices and tokens are signed with'),
  ).enablePositionalOptions()
  addTrustVerbs(token, key, io, act, verb)

  addLocalVerbs(program, io, act)
  const profile = withGlobals(
    program.command('profile').description('keep brokers and tokens under names'),
  ).enablePositionalOptions()
  verb(profile, 'add', 'keep the broker and token found now, or given by --url and --token, under a name')
    .argument('<name>')
    .action((name: string, _options, command: Command) =>
      act(import('./profile.ts').then((one) => one.addProfile(io, flagsOf(command), name))),
    )
  verb(profile, 'use', 'make a profile the active one')
    .argument('<name>')
    .action((name: string, _options, command: Command) =>
      act(import('./profile.ts').then((one) => one.useProfile(io, flagsOf(command), name))),
    )
  verb(profile, 'remove', 'forget a profile')
    .argument('<name>')
    .action((name: string, _options, command: Command) =>
      act(import('./profile.ts').then((one) => one.removeProfile(io, flagsOf(command), name))),
    )
  verb(profile, 'list', 'show the profiles, without their tokens').action((_options, command: Command) =>
    act(import('./profile.ts').then((one) => one.listProfiles(io, flagsOf(command)))),
  )

  verb(program, 'backup', 'copy the controller of this machine into one file, while it runs (--data names its folder)')
    .argument('<file>')
    .option('--no-logs', 'without the output of tasks')
    .action((file: string, _options, command: Command) =>
      act(import('./backup.ts').then((one) => one.backup(io, { ...flagsOf(command), ...command.opts<BackupFlags>() }, file))),
    )
  verb(program, 'restore', 'put a backup in the place of the controller of this machine (--data names its folder)')
    .argument('<file>')
    .option('--force', 'put aside what is there')
    .option('--dry-run', 'only check the backup, and tell what it has')
    .option('--run-waiting', 'let tasks that waited run, even if they may have run since the backup')
    .action((file: string, _options, command: Command) =>
      act(import('./backup.ts').then((one) => one.restore(io, { ...flagsOf(command), ...command.opts<RestoreFlags>() }, file))),
    )
  verb(program, 'prune', 'remove old tasks now, with their runs and logs')
    .option('--older-than <age>', 'those that ended longer ago, as in 7d or 12h (default: what the settings keep)', ageFlag)
    .option('--dry-run', 'only tell how many')
    .action((_options, command: Command) =>
      act(import('./prune.ts').then((one) => one.prune(io, { ...flagsOf(command), ...command.opts<PruneFlags>() }))),
    )

  verb(program, 'broker-config', 'write the configuration of a broker of your own: users and permissions of this fleet')
    .argument('<kind>', 'mosquitto, rabbitmq, nats or emqx; or login, for the user name and password of the token at hand')
    .option('--out <folder>', 'write files there instead of printing them')
    .option('--listen <address:port>', 'where the broker is to listen (default 127.0.0.1:1883)')
    .option('--token-file <file>', 'a token of somebody else who is to be let in (repeatable)', severalFlag)
    .action((kind: string, _options, command: Command) =>
      act(
        import('./broker-config/broker-config.ts').then((one) =>
          one.brokerConfig(io, { ...flagsOf(command), ...command.opts<Omit<BrokerConfigFlags, keyof GlobalFlags>>() }, kind),
        ),
      ),
    )

  addValidate(program, io, act)
  verb(program, 'doctor', 'find what is wrong here, with the broker or in the fleet, and say what to do about it').action(
    (_options, command: Command) => act(import('./doctor/doctor.ts').then((one) => one.doctor(io, flagsOf(command)))),
  )
  verb(program, 'down', 'end the "skein up" of a data folder, with everything that it runs').action(
    (_options, command: Command) => act(import('./down.ts').then((one) => one.down(io, flagsOf(command)))),
  )
  verb(program, 'status', 'show the fleet in a few lines').action((_options, command: Command) =>
    act(import('./status.ts').then((one) => one.showStatus(io, flagsOf(command)))),
  )
  verb(program, 'whoami', 'show whose token is at hand, what its role is, and until when it holds').action(
    (_options, command: Command) => act(import('./whoami.ts').then((one) => one.whoAmI(io, flagsOf(command)))),
  )
  verb(program, 'open', 'print a link that opens the dashboard and signs one visitor in, with the token at hand')
    .option('--http <url>', 'where the dashboard is, if it is not that of the data folder')
    .action((_options, command: Command) =>
      act(
        import('./open.ts').then((one) => one.openDashboard(io, { ...flagsOf(command), ...command.opts<{ http?: string }>() })),
      ),
    )
  program
    .command('completion')
    .description('print a completion script for bash, zsh or fish')
    .argument('<shell>')
    .addHelpText('after', '\nbash: source <(skein completion bash)    fish: skein completion fish | source')
    .action((shell: string) => act(import('./completion.ts').then((one) => one.printCompletion(io, program, shell))))
  return program
}

const partsHelp = `
The parts of Skein are started by their names, each with a --help of its own:
  up          everything on this machine, as npm start does
  broker, controller, dashboard, device, hub

Exit status: 0 done, 1 the work failed, 2 wrong usage, 3 refused, 4 not reachable.
"run" passes the program's own on (128 + n for a signal); 124 timed out, 125 lost, rejected or expired, 130 cancelled.`

const dashed = (field: string): string => field.replaceAll('_', '-')
const camel = (field: string): string => field.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())

const filtersOf = (command: Command, fields: readonly string[]): Record<string, string> => {
  const given = command.opts()
  return Object.fromEntries(fields.flatMap((field) => (camel(field) in given ? [[field, String(given[camel(field)])]] : [])))
}

const listFlagsOf = (command: Command): ListFlags => ({ ...flagsOf(command), ...command.opts<Pick<ListFlags, 'limit'>>() })
const logsFlagsOf = (command: Command): LogsFlags => ({
  ...flagsOf(command),
  ...command.opts<Pick<LogsFlags, 'follow' | 'run' | keyof LogPart>>(),
})
