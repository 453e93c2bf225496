import { type Command, CommanderError } from 'commander'
import { CliFailure, exitCodes } from './exit.ts'
import { type Io, printJson } from './io.ts'
import { programOf } from './program.ts'
import { plain } from './table.ts'

/** Runs the verb that the arguments name, and gives the exit status. */
export const runCli = async (io: Io, argv: readonly string[]): Promise<number> => {
  const end = argv.indexOf('--')
  const isJson = (end === -1 ? argv : argv.slice(0, end)).includes('--json')
  let exitCode: number = exitCodes.done
  const program = programOf(io, async (code) => {
    exitCode = await code
  })
  for (const command of [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)]) {
    command.exitOverride()
    command.showHelpAfterError('(add --help for what is possible)')
    command.configureOutput({
      writeOut: (text) => io.out(text),
      // As JSON it is printed below, from what is thrown.
      writeErr: (text) => (isJson ? undefined : io.err(text.replace(/^error: /, 'skein: '))),
    })
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.done
      if (isJson) printJson(io, { error: { code: 'usage', message: whatIsWrong(error, program, argv) } })
      return exitCodes.usage
    }
    if (!(error instanceof CliFailure)) throw error
    if (isJson)
      printJson(io, {
        error: { code: error.code, message: error.message, ...(error.details.length > 0 ? { details: error.details } : {}) },
      })
    else sayFailure(io, error)
    return error.exitCode
  }
}

/** Where a verb is missing commander shows the help, and throws what is no message. */
const whatIsWrong = (error: CommanderError, program: Command, argv: readonly string[]): string => {
  if (error.code !== 'commander.help') return error.message.replace(/^error: /, '')
  let at = program
  for (const word of argv) at = at.commands.find((one) => one.name() === word) ?? at
  return `"${at === program ? 'skein' : at.name()}" wants a verb: ${at.commands.map((one) => one.name()).join(', ')}`
}

/** What, why, and what would be accepted. */
const sayFailure = (io: Io, { message, details }: CliFailure): void => {
  io.err(`skein: ${message}\n`)
  // A single fault is in the message already.
  for (const { field, message: why, accepted } of details) {
    const would = accepted && accepted.length > 0 ? ` (accepted: ${accepted.join(', ')})` : ''
    const isSaid = details.length === 1 && message.includes(why) && (!would || accepted?.every((one) => message.includes(one)))
    if (!isSaid) io.err(`  ${plain(field)}: ${plain(why)}${would}\n`)
  }
}
