import type { Command } from 'commander'
import type { Act } from './act.ts'
import { flagsOf, pairFlag, withGlobals } from './flags.ts'
import type { GlobalFlags, Io } from './io.ts'
import type { ValidateFlags } from './validate.ts'

/** The verb that checks files with workloads, for which nothing else has to run. */
export const addValidate = (program: Command, io: Io, act: Act): void => {
  withGlobals(program.command('validate').description('check files with workloads, with nobody asked'))
    .argument('[path...]', 'files, or folders with all below them (default: workloads/ if it is there, or else this folder)')
    .option('--device <name>', 'what templates are to read as device.name')
    .option('--label <name=value>', 'what templates are to read as device.labels.name (repeatable)', pairFlag)
    .option('--env <name=value>', 'what templates are to read as env.name, beside the environment (repeatable)', pairFlag)
    .option('--plugins <folder>', 'plugins, as the device will have them, loaded to check with')
    .action((paths: string[], _options, command: Command) =>
      act(
        import('./validate.ts').then((one) =>
          one.validate(io, { ...flagsOf(command), ...command.opts<Omit<ValidateFlags, keyof GlobalFlags>>() }, paths),
        ),
      ),
    )
}
