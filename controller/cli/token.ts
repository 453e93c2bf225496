import { readFileSync } from 'node:fs'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { jwkOf, newPrivateKey } from '../../base/p256.ts'
import { pathsIn } from '../../base/paths.ts'
import { unseal } from '../../base/sealing.ts'
import type { ListedToken } from '../../schemas/token.ts'
import { CliFailure, exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { mustTakeFile } from './paths.ts'
import { ago, tableOf } from './table.ts'
import { findWhere } from './where.ts'
import { askFor, askPages, withClient } from './with-client.ts'

export interface TokenCreateFlags extends GlobalFlags {
  name?: string
  role?: string
  ttl?: number
  uses?: number
  /** The address that joining devices use, if it is another one than ours. */
  joinUrl?: string
  /** Where to write the token instead of showing it. */
  file?: string
}

/** `token create`: the token travels sealed to a key of this process, so no broker on the way can read it; it is shown once. */
export const createToken = async (io: Io, flags: TokenCreateFlags): Promise<number> => {
  // Before it is made: nobody could ever read it.
  if (flags.file !== undefined) mustTakeFile('--file', flags.file)
  return withClient(io, flags, async (client) => {
    const privateKey = newPrivateKey()
    const { sealed, ...about } = await askFor(client, 'token.create', {
      role: flags.role ?? 'operator',
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.ttl === undefined ? {} : { ttl_seconds: flags.ttl }),
      ...(flags.uses === undefined ? {} : { uses: flags.uses }),
      seal_to: jwkOf(privateKey),
    })
    const token = sealed === undefined ? undefined : await unseal(sealed, privateKey)
    if (token === undefined) throw new CliFailure(exitCodes.refused, 'internal', 'The token came in a form that cannot be opened')
    if (flags.file !== undefined) {
      writeFileAtomic(flags.file, `${token}\n`, 0o600)
      if (flags.json) printJson(io, { ...about, file: flags.file })
      else io.err(`${about.role} "${about.name}", until ${about.expires_at}: ${flags.file}\n`)
      return exitCodes.done
    }
    const join = about.role === 'join' ? `skein device join --url ${joinUrlOf(io, flags)} --token ${token}` : undefined
    if (flags.json) printJson(io, { ...about, token, ...(join === undefined ? {} : { command: join }) })
    else if (join === undefined) {
      io.out(`${token}\n`)
      io.err(
        `${about.role} "${about.name}", until ${about.expires_at}. It is shown only now; revoke it with: skein token revoke ${about.name}\n`,
      )
    } else {
      io.out(`${join}\n`)
      const many = about.uses === 1 ? 'one device' : `${about.uses} devices`
      io.err(`Run this on the new machine, then "skein device". It lets in ${many}, until ${about.expires_at}.\n`)
    }
    return exitCodes.done
  })
}

/** Where new machines find the broker: over TLS if it has that. */
const joinUrlOf = (io: Io, flags: TokenCreateFlags): string => {
  if (flags.joinUrl !== undefined) return flags.joinUrl
  const where = findWhere(flags, io.env)
  const local = where.ok ? where.where.url : 'mqtts://HOST:8883'
  if (flags.url !== undefined) return local
  try {
    const { mqtts } = JSON.parse(readFileSync(pathsIn(flags.data ?? io.env['SKEIN_DATA'] ?? '.skein').endpoints, 'utf8')) as {
      mqtts?: unknown
    } // ours
    return typeof mqtts === 'string' ? mqtts : local
  } catch {
    return local // no hub on this machine: what we go by ourselves
  }
}

export const listTokens = (io: Io, flags: GlobalFlags & { limit?: number }): Promise<number> =>
  withClient(io, flags, async (client) => {
    const tokens = await askPages(
      flags.limit ?? 50,
      (limit, cursor) => askFor(client, 'token.list', { limit, ...(cursor ? { cursor } : {}) }),
      (page) => page.tokens,
    )
    if (flags.json) printJson(io, tokens)
    else io.out(tokensTable(tokens, io))
    return exitCodes.done
  })

export const revokeTokens = (io: Io, flags: GlobalFlags, names: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) => {
    const revoked: ListedToken[] = []
    for (const token of names) revoked.push(...(await askFor(client, 'token.revoke', { token })).revoked)
    if (flags.json) printJson(io, revoked)
    else for (const one of revoked) io.out(`revoked: ${one.role} "${one.name}" (${one.id})\n`)
    return exitCodes.done
  })

const tokensTable = (tokens: readonly ListedToken[], io: Pick<Io, 'terminal' | 'clock'>): string =>
  tableOf(
    ['NAME', 'ROLE', 'STATE', 'UNTIL', 'USED', 'ID'],
    tokens.map((token) => [
      token.name,
      token.role,
      token.state,
      token.expires_at.slice(0, 16),
      token.uses === undefined ? ago(token.last_used_at, io.clock.now()) : `${token.used ?? 0} of ${token.uses}`,
      token.id,
    ]),
    io.terminal,
  )
