import type { Command } from 'commander'
import type { Act } from './act.ts'
import { flagsOf, limitFlag, runFlagsOf, secondsFlag, withLocalGlobals } from './flags.ts'
import type { Io } from './io.ts'
import type { LocalFlags } from './local-door.ts'
import type { LocalLogsFlags } from './local-logs.ts'
import { withLogPart } from './log-part.ts'

/** The verbs that ask the device on this machine. */
export const addLocalVerbs = (program: Command, io: Io, act: Act): void => {
  const local = withLocalGlobals(
    program.command('local').description('the device on this machine and its workloads; no controller needed'),
  ).enablePositionalOptions()
  const load = () => import('./local.ts')
  const loadExec = () => import('./local-exec.ts')
  const own = (usage: string, about: string): Command =>
    withLocalGlobals(local.command(usage).description(about)).option('--device <name>', 'this one of several')
  const localFlags = <F>(command: Command): LocalFlags & F => ({
    ...flagsOf(command),
    ...command.opts<F & { device?: string }>(),
  })

  own('status', 'show what the device says of itself, or of workloads')
    .argument('[workload...]')
    .action((names: string[], _options, command: Command) =>
      act(load().then((one) => one.localStatus(io, localFlags(command), names))),
    )
  own('list', 'list the workloads of the device').action((_options, command: Command) =>
    act(load().then((one) => one.localList(io, localFlags(command)))),
  )
  own('apply', 'make workloads of files and folders; what is gone from them is removed, what has not changed is not touched')
    .argument('<path...>')
    .option('--dry-run', 'only tell what would change')
    .action((paths: string[], _options, command: Command) =>
      act(load().then((one) => one.localApply(io, localFlags<{ dryRun?: boolean }>(command), paths))),
    )
  own('reload', 'read again what was applied, and touch only what has changed')
    .option('--dry-run', 'only tell what would change')
    .action((_options, command: Command) =>
      act(load().then((one) => one.localApply(io, localFlags<{ dryRun?: boolean }>(command), null))),
    )
  for (const [what, about] of [
    ['start', 'start workloads; those that have ended or are in a crash loop begin anew'],
    ['stop', 'stop workloads; they stay so until they are started'],
    ['restart', 'stop workloads and start them again'],
  ] as const)
    own(what, about)
      .argument('<workload...>')
      .action((names: string[], _options, command: Command) =>
        act(load().then((one) => one.localChange(io, localFlags(command), what, names))),
      )
  own('delete', 'stop workloads and forget them, with their logs')
    .argument('<workload...>')
    .action((names: string[], _options, command: Command) =>
      act(load().then((one) => one.localDelete(io, localFlags(command), names))),
    )
  own('history', 'show the last runs of a workload')
    .argument('<workload>')
    .option('--limit <count>', 'at most so many (1 to 1000, default 20)', limitFlag)
    .action((name: string, _options, command: Command) =>
      act(load().then((one) => one.localHistory(io, localFlags<{ limit?: number }>(command), name))),
    )
  withLogPart(own('logs', 'print the log of a workload'), 'the last lines (default 50)')
    .argument('<workload>')
    .option('-f, --follow', 'go on with what comes')
    .option('-t, --timestamps', 'put the time in front of each line')
    .action((name: string, _options, command: Command) =>
      act(import('./local-logs.ts').then((one) => one.localLogs(io, localFlags<LocalLogsFlags>(command), name))),
    )
  // Here --timeout is the work's, as in `run`.
  const timed = (usage: string, about: string, usual: string): Command =>
    withLocalGlobals(local.command(usage).description(about), 'connect-timeout')
      .option('--device <name>', 'this one of several')
      .option('--timeout <seconds>', `how long it may take (default ${usual})`, secondsFlag)
  timed('exec', 'run a command in the environment and folder of a workload, in this terminal', '30')
    .argument('<workload>')
    .argument('<command...>', 'a program with its arguments after --, or one word as a line for sh -c')
    .passThroughOptions()
    .action((name: string, words: string[], _options, command: Command) =>
      act(loadExec().then((one) => one.localExec(io, runFlagsOf(command), name, words))),
    )
  timed('run', 'run a workload once in this terminal, beside what the device does', 'none')
    .argument('<workload>')
    .action((name: string, _options, command: Command) =>
      act(loadExec().then((one) => one.localRun(io, runFlagsOf(command), name))),
    )
  own('shell', 'open a shell where a workload runs')
    .argument('<workload>')
    .action((name: string, _options, command: Command) =>
      act(loadExec().then((one) => one.localShell(io, localFlags(command), name))),
    )
  own('env', 'print the variables of a workload')
    .argument('<workload>')
    .action((name: string, _options, command: Command) =>
      act(loadExec().then((one) => one.localEnv(io, localFlags(command), name))),
    )
  const secret = withLocalGlobals(local.command('secret').description('what the device holds for agents'))
  const loadSecret = () => import('./local-secret.ts')
  const ofSecret = (usage: string, about: string): Command =>
    withLocalGlobals(secret.command(usage).description(about)).option('--device <name>', 'this one of several')
  ofSecret('set', 'keep a secret on this device; its value is read from standard input')
    .argument('<name>', 'the variable by which an agent gets it')
    .action((name: string, _options, command: Command) =>
      act(loadSecret().then((one) => one.setSecret(io, localFlags(command), name))),
    )
  ofSecret('list', 'print the names of the secrets of this device').action((_options, command: Command) =>
    act(loadSecret().then((one) => one.listSecrets(io, localFlags(command)))),
  )
  ofSecret('delete', 'forget a secret')
    .argument('<name>')
    .action((name: string, _options, command: Command) =>
      act(loadSecret().then((one) => one.deleteSecret(io, localFlags(command), name))),
    )
  own('metrics', 'print the metrics of the device, as Prometheus reads them').action((_options, command: Command) =>
    act(load().then((one) => one.localMetrics(io, localFlags(command)))),
  )
  own('shutdown', 'end everything that the device runs, and the device').action((_options, command: Command) =>
    act(load().then((one) => one.localShutdown(io, localFlags(command)))),
  )
}
