import { Argument, type Command, InvalidArgumentError, Option } from 'commander'
import { type KeyUse, keyUses } from '../../schemas/keys.ts'
import type { Act, Verb } from './act.ts'
import { ageFlag, flagsOf, limitFlag, wholeFlag } from './flags.ts'
import type { Io } from './io.ts'
import type { TokenCreateFlags } from './token.ts'

/** The verbs for tokens and keys. */
export const addTrustVerbs = (token: Command, key: Command, io: Io, act: Act, verb: Verb): void => {
  verb(token, 'create', 'make a token for a person, a program, or devices that are to join')
    .option('--name <name>', 'whom it is for; a join token may go without')
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['admin', 'operator', 'viewer', 'device', 'join'])
        .default('operator'),
    )
    .option('--ttl <age>', 'how long it holds, as in 90d or 12h (default 90d; join 1d, device 400d)', ageFlag)
    .option('--uses <count>', 'of a join token: how many devices it lets in (default 1)', wholeFlag)
    .option('--join-url <url>', 'of a join token: where new machines find the broker')
    .option('--file <file>', 'write the token to a file of mode 0600 instead of showing it')
    .action((_options, command: Command) =>
      act(import('./token.ts').then((one) => one.createToken(io, { ...flagsOf(command), ...command.opts<TokenCreateFlags>() }))),
    )
  verb(token, 'list', 'list tokens, newest first: who may do what until when')
    .option('--limit <count>', 'at most so many (1 to 1000, default 50)', limitFlag)
    .action((_options, command: Command) =>
      act(import('./token.ts').then((one) => one.listTokens(io, { ...flagsOf(command), ...command.opts<{ limit?: number }>() }))),
    )
  verb(token, 'revoke', 'revoke tokens by id, or all of a name; their connections are closed')
    .argument('<token...>')
    .action((names: string[], _options, command: Command) =>
      act(import('./token.ts').then((one) => one.revokeTokens(io, flagsOf(command), names))),
    )

  verb(key, 'list', 'list the keys, newest first, and who still needs the older ones').action((_options, command: Command) =>
    act(import('./key.ts').then((one) => one.listKeys(io, flagsOf(command)))),
  )
  verb(key, 'rotate', 'make a new key to sign commands or tokens with; devices and brokers learn of it by the old one')
    .addArgument(new Argument('[use]', 'what it signs').choices(keyUses).default('commands').argParser(keyUse))
    .action((use: KeyUse, _options, command: Command) =>
      act(import('./key.ts').then((one) => one.rotateKey(io, flagsOf(command), use))),
    )
  verb(key, 'forget', 'delete an older key')
    .argument('<key>')
    .option('--force', 'also if some go by this one only: they are cut off, and devices have to join again')
    .action((id: string, _options, command: Command) =>
      act(
        import('./key.ts').then((one) => one.forgetKey(io, { ...flagsOf(command), ...command.opts<{ force?: boolean }>() }, id)),
      ),
    )
}

/** The singular is what some try first. */
const keyUse = (text: string): KeyUse => {
  const use = keyUses.find((one) => one === text || one === `${text}s`)
  if (!use) throw new InvalidArgumentError(`It must be ${keyUses.join(' or ')}.`)
  return use
}
