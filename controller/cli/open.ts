import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { linkToDashboard } from '../../base/invitation.ts'
import { pathsIn } from '../../base/paths.ts'
import { CliFailure, exitCodes, unreachable, usageFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { findWhere } from './where.ts'

export interface OpenFlags extends GlobalFlags {
  /** Where the dashboard is, if `skein up` has not written it into the data folder. */
  http?: string
}

const Endpoints = z.looseObject({ http: z.string() })

/** `open`: a link to the dashboard that signs one visitor in, once, within ten minutes. */
export const openDashboard = async (io: Io, flags: OpenFlags): Promise<number> => {
  const found = findWhere(flags, io.env)
  // The broker is of no use here; the token is.
  const token = flags.token ?? io.env['SKEIN_TOKEN'] ?? (found.ok ? found.where.token : undefined)
  if (token === undefined) throw new CliFailure(exitCodes.usage, 'missing', found.ok ? 'Cannot find a token' : found.reason)
  const http = flags.http ?? httpOf(flags.data ?? io.env['SKEIN_DATA'] ?? '.skein')
  if (http === undefined) throw usageFailure('Cannot find the dashboard: no --http, and no endpoints.json in the data folder')
  if (!/^https?:\/\/[^\s/]+\/?$/.test(http))
    throw usageFailure(`"${http}" is no address of a dashboard; write http://host:port or https://host:port`)
  try {
    const link = await linkToDashboard(http.replace(/\/$/, ''), token.trim())
    if (flags.json) printJson(io, link)
    else {
      io.out(`${link.url}\n`)
      io.err(`It signs one visitor in as "${link.subject}", once, until ${link.expires_at.slice(11, 16)} UTC.\n`)
    }
    return exitCodes.done
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw message.includes('refuses') ? new CliFailure(exitCodes.refused, 'unauthorized', message) : unreachable(message)
  }
}

const httpOf = (data: string): string | undefined => {
  try {
    return Endpoints.parse(JSON.parse(readFileSync(pathsIn(data).endpoints, 'utf8'))).http
  } catch {
    return undefined // no hub on this machine: it has to be named
  }
}
