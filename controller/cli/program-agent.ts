import type { Command } from 'commander'
import type { Act, Verb } from './act.ts'
import type { AgentFlags } from './agent.ts'
import type { ApprovalFlags } from './approval.ts'
import { flagsOf, limitFlag, runFlagsOf, secondsFlag, severalFlag, wholeFlag, withGlobals, withTaskFlags } from './flags.ts'
import type { Io } from './io.ts'

/** The verbs about agents: to ask one, and to answer what it asks. */
export const addAgentVerbs = (program: Command, io: Io, act: Act, verb: Verb): void => {
  withTaskFlags(program.command('agent').description('ask an agent on a device, and follow what it does'))
    .argument('<prompt>', 'what it is to do, in your words')
    .option('--agent <name>', 'goose, if nothing is said, or another one that the device has')
    .option('--provider <name>', 'who has the model, as in openai')
    .option('--model <name>', 'which one, as in gpt-4o')
    .option('--system <text>', 'what it is to keep in mind all the time')
    .option('--approve <what>', 'none, tools, or a pattern of tools such as "shell*"; repeatable', severalFlag)
    .option('--approval-timeout <seconds>', 'how long somebody has to answer (default 3600)', secondsFlag)
    .option('--budget <budget>', 'how much it may use, as in 200000tokens,2usd,30m')
    .option('--max-turns <count>', 'calls of the model (default 100)', wholeFlag)
    .option('--silence <seconds>', 'how long it may give no sign of life (default 600)', secondsFlag)
    .option('--mcp <server>', 'a server of tools: name=program arg, or name=https://host/mcp (repeatable)', severalFlag)
    .option('--secret <name>', 'a secret that the device holds, as a variable (repeatable)', severalFlag)
    .option('--keep-session', 'let a later run go on with the conversation')
    .option('--session <run>', 'go on with the conversation of an earlier run on that device')
    .action((prompt: string, _options, command: Command) =>
      act(import('./agent.ts').then((one) => one.askAgent(io, runFlagsOf<AgentFlags>(command), prompt))),
    )

  verb(program, 'usage', 'show what agents have used, by device and model')
    .option('--since <time>', 'only from then on: ISO 8601, or an age such as 7d')
    .option('--until <time>', 'only up to then')
    .action((_options, command: Command) =>
      act(
        import('./approval.ts').then((one) =>
          one.showUsage(io, { ...command.opts<{ since?: string; until?: string }>(), ...flagsOf(command) }),
        ),
      ),
    )

  const approval = withGlobals(
    program.command('approval').description('see and answer what agents ask to be allowed'),
  ).enablePositionalOptions()
  const load = () => import('./approval.ts')
  const flags = (command: Command): ApprovalFlags => ({ ...command.opts<ApprovalFlags>(), ...flagsOf(command) })
  verb(approval, 'list', 'list what waits for an answer, newest first')
    .option('--all', 'also what has been answered')
    .option('--device <name>', 'only of this device')
    .option('--limit <count>', 'at most so many (1 to 1000, default 50)', limitFlag)
    .action((_options, command: Command) => act(load().then((one) => one.listApprovals(io, flags(command)))))
  verb(approval, 'show', 'show what an agent wants to do')
    .argument('<approval>')
    .action((id: string, _options, command: Command) => act(load().then((one) => one.showApproval(io, flags(command), id))))
  for (const [what, about] of [
    ['approve', 'let agents do what they ask for'],
    ['reject', 'do not let them; they go on without'],
  ] as const)
    verb(approval, what, about)
      .argument('<approval...>')
      .option('--reason <text>', 'why; it is kept with the run')
      .action((ids: string[], _options, command: Command) =>
        act(load().then((one) => one.answerApprovals(io, flags(command), what, ids))),
      )
}
