import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import type { pathsIn } from '../../../base/paths.ts'
import { identityBeside } from '../../../base/pinned-certificate.ts'
import { publicKeysIn } from '../../../base/public-keys.ts'
import { readTokenWith } from '../../../base/read-token.ts'
import type { Where } from '../where.ts'
import { type Check, fail, ok, warn } from './check.ts'

const dayMs = 24 * 3600 * 1000

/** The token at hand: whose it is, for how long, and whether this machine's fleet has signed it. */
export const checkToken = async (where: Where, paths: ReturnType<typeof pathsIn>, now: number): Promise<Check> => {
  const { role, exp } = claimsOf(where.token)
  const who = `${where.subject} (${role ?? 'no role'})`
  const renew = 'make a new one: skein up does so at its start, skein token create for others'
  const leftMs = (exp ?? 0) * 1000 - now
  if (leftMs <= 0) return fail('token', `the token of ${who} has expired`, renew)
  if (existsSync(paths.tokenKeyPublic)) {
    const keys = publicKeysIn(readFileSync(paths.tokenKeyPublic, 'utf8'))
    const read = await readTokenWith((kid) => keys.get(kid), where.token, { fleet: where.fleet, now })
    if (!read.ok)
      return fail(
        'token',
        `the fleet in ${paths.data} does not take it: ${read.reason}`,
        'use a token of this fleet, or --data of the other',
      )
  }
  const days = Math.floor(leftMs / dayMs)
  if (days < 30) return warn('token', `the token of ${who} holds for ${days} more days`, renew)
  return ok('token', `${who} of fleet ${where.fleet}, for ${days} more days`)
}

export const claimsOf = (token: string): { role?: string; exp?: number } =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) // where it was found its subject was read already

/** The broker's certificate, where there is one. */
export const checkCertificate = async ({ url, ca }: Pick<Where, 'url' | 'ca'>, now: number): Promise<Check[]> => {
  const { protocol, hostname, port } = new URL(url)
  if (protocol !== 'mqtts:' && protocol !== 'wss:') return []
  const host = hostname.replace(/^\[|\]$/g, '')
  const seen = await new Promise<{ until: number; problem: string | undefined } | string>((resolve) => {
    const named = /^[\d.]+$|:/.test(host) ? {} : { servername: host } // an address is none
    const trust = ca === undefined ? {} : { ca, checkServerIdentity: identityBeside(ca) }
    const socket = connect(
      { host, port: Number(port || 8883), ...named, rejectUnauthorized: false, timeout: 5000, ...trust },
      () => {
        const { valid_to } = socket.getPeerCertificate()
        resolve({ until: Date.parse(valid_to), problem: socket.authorized ? undefined : String(socket.authorizationError) })
        socket.destroy()
      },
    )
    socket.once('timeout', () => {
      socket.destroy()
      resolve('no answer')
    })
    socket.once('error', (error) => resolve(error.message))
  })
  if (typeof seen === 'string') return [fail('certificate', `${host} speaks no TLS there: ${seen}`, 'check address and port')]
  const days = Math.floor((seen.until - now) / dayMs)
  if (days < 0) return [fail('certificate', `it ran out ${-days} days ago`, 'put a new certificate in place')]
  if (seen.problem !== undefined)
    return [warn('certificate', `this machine does not trust it: ${seen.problem}`, 'name its authority: --tls-ca FILE')]
  if (days < 21) return [warn('certificate', `it holds for ${days} more days`, 'renew it')]
  return [ok('certificate', `it holds for ${days} more days`)]
}
