import { exitCodes, usageFailure } from './exit.ts'
import { type Io, printJson } from './io.ts'
import { askLocal, deviceOf, type LocalFlags } from './local-door.ts'

const ask = (io: Io, flags: LocalFlags, request: Parameters<typeof askLocal>[1]): Promise<unknown> =>
  askLocal(deviceOf(flags, io.env), request, (flags.timeout ?? 10) * 1000)

/** `local secret set`: the value comes by standard input, so that it stands in no list of processes and in no history. */
export const setSecret = async (io: Io, flags: LocalFlags, name: string): Promise<number> => {
  const value = (await io.readStdin(32 * 1024)).replace(/\r?\n$/, '')
  if (value === '') throw usageFailure('The value is read from standard input: skein local secret set NAME <file')
  const answer = await ask(io, flags, { command: 'secret_set', name, value })
  if (flags.json) printJson(io, answer)
  else io.out(`${name} is kept on this device\n`)
  return exitCodes.done
}

/** `local secret list`: names alone. */
export const listSecrets = async (io: Io, flags: LocalFlags): Promise<number> => {
  const { secrets } = (await ask(io, flags, { command: 'secrets' })) as { secrets: string[] } // our own daemon's answer
  if (flags.json) printJson(io, secrets)
  else for (const name of secrets) io.out(`${name}\n`)
  return exitCodes.done
}

/** `local secret delete`. */
export const deleteSecret = async (io: Io, flags: LocalFlags, name: string): Promise<number> => {
  const answer = await ask(io, flags, { command: 'secret_delete', name })
  if (flags.json) printJson(io, answer)
  else io.out(`${name} is forgotten\n`)
  return exitCodes.done
}
