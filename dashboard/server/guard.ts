import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { type WireError, wireError } from '../../schemas/errors.ts'

export interface Refusal {
  status: number
  error: WireError
}

/** Probes and scrapers reach these by whatever name they know. They change nothing and know nobody. */
const forProbes: readonly string[] = ['/healthz', '/readyz', '/metrics']

/**
 * Decides whether a request may have come from a page of ours. A name that is not ours is how a foreign page turns itself into one of
 * this origin (DNS rebinding); it cannot do that with an address. Whoever shows a token of his own has no session that could be misused.
 */
export const createGuard = (moreHosts: readonly string[]) => {
  const names = new Set(['localhost', hostname().toLowerCase(), ...moreHosts])
  const isOurs = (name: string): boolean => names.has(name) || isIP(name) !== 0 || name.endsWith('.localhost')

  /** Undefined for a request that may go on. */
  const refusalOf = ({ headers, url }: Pick<IncomingMessage, 'headers' | 'url'>): Refusal | undefined => {
    const { host, origin } = headers
    const path = (url ?? '').split('?')[0] ?? ''
    if (origin !== undefined && originHost(origin) !== host?.toLowerCase())
      return { status: 403, error: wireError('forbidden', `Pages of ${shown(origin)} may not ask here`) }
    if (headers.authorization !== undefined || forProbes.includes(path)) return undefined
    if (host === undefined || !isOurs(hostName(host)))
      return {
        status: 421,
        error: wireError(
          'misdirected',
          `This is not ${shown(host ?? 'named')}: open it by its address, or start it with --http-hosts ${host === undefined ? 'NAME' : shown(hostName(host))}`,
        ),
      }
    return undefined
  }

  return { refusalOf }
}
export type Guard = ReturnType<typeof createGuard>

/** The name in a Host header: without its port, and without the brackets of an IPv6 address. */
const hostName = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')

/** `null` is what sandboxed and local pages call themselves: nobody's. */
const originHost = (origin: string): string | undefined => {
  try {
    return new URL(origin).host
  } catch {
    return undefined // no origin of a page that was served
  }
}

const shown = (text: string): string => text.slice(0, 100).replace(/[^\x21-\x7e]/g, '?')
