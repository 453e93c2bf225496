import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { type Login, loginKinds } from '../../base/login.ts'
import { pathsIn } from '../../base/paths.ts'
import { FleetName, Subject } from '../../schemas/ids.ts'
import type { GlobalFlags, Io } from './io.ts'
import { type Profile, readProfiles } from './profiles.ts'

export interface Where {
  url: string
  token: string
  fleet: string
  /** Whom the token belongs to; the broker proves it, we only need it for the topics. */
  subject: string
  /** How to log in at that broker. */
  login: Login
  /** A certificate that the broker is trusted for (PEM), beside those that the system knows. */
  ca?: string
}

export type Search =
  | { ok: true; where: Where }
  | { ok: false; kind: 'usage' | 'missing' | 'token'; reason: string; mayCome: boolean }

const Endpoints = z.looseObject({
  fleet: FleetName,
  mqtt: z.string(),
  login: z.enum(loginKinds).optional(),
  tls_ca: z.string().optional(),
})
const Claims = z.looseObject({ sub: Subject, fleet: FleetName.optional() })

/**
 * Finds the broker, the token and the fleet: flags beat the environment, that beats what `skein up` has written into the data
 * folder, that beats the active profile. A profile that is named, by `--profile` or SKEIN_PROFILE, beats the data folder.
 */
export const findWhere = (flags: GlobalFlags, env: Io['env']): Search => {
  const data = flags.data ?? given(env['SKEIN_DATA']) ?? '.skein'
  const paths = pathsIn(data)
  const endpoints = parsed(Endpoints, readJson(paths.endpoints))
  const named = flags.profile ?? given(env['SKEIN_PROFILE'])
  const { active, profiles } = readProfiles(env)
  if (named !== undefined && !Object.hasOwn(profiles, named))
    return wrong(`there is no profile "${named}"; "skein profile list" shows those there are`)
  const local = endpoints && {
    url: endpoints.mqtt,
    token: given(readText(paths.adminToken)),
    fleet: endpoints.fleet,
    login: endpoints.login,
    ca: given(endpoints.tls_ca === undefined ? undefined : readText(endpoints.tls_ca)),
  }
  const isElsewhere = flags.data === undefined && given(env['SKEIN_DATA']) === undefined && !existsSync(paths.adminToken)
  const usual: Profile | undefined = isElsewhere && active !== null ? profiles[active] : undefined
  const from: Found | undefined = named === undefined ? (local ?? usual) : profiles[named]
  const url = flags.url ?? given(env['SKEIN_URL']) ?? from?.url
  const token = flags.token ?? given(env['SKEIN_TOKEN']) ?? from?.token ?? given(readText(paths.adminToken))
  if (url === undefined) return missing('broker', `no --url, no SKEIN_URL, and no ${paths.endpoints}`, existsSync(data))
  if (token === undefined) return missing('token', `no --token, no SKEIN_TOKEN, and no ${paths.adminToken}`, existsSync(data))
  const fullUrl = /^[a-z]+:\/\//.test(url) ? url : `mqtt://${url}`
  if (!/^(mqtts?|wss?):\/\/[^\s/]+/.test(fullUrl))
    return wrong(`"${url}" is no broker; write mqtt://host:port, mqtts://, ws:// or wss://`)
  const claims = parsed(Claims, claimsOf(token))
  if (!claims) return { ok: false, kind: 'token', reason: 'The token is not one of Skein: it names no subject', mayCome: false }
  const fleet = flags.fleet ?? given(env['SKEIN_FLEET']) ?? from?.fleet ?? claims.fleet ?? 'default'
  if (!FleetName.safeParse(fleet).success) return wrong(`"${fleet}" is no fleet name: 1 to 63 of a-z, 0-9 and -`)
  const login = flags.login ?? given(env['SKEIN_LOGIN']) ?? from?.login ?? 'token'
  const kind = loginKinds.find((one) => one === login)
  if (kind === undefined) return wrong(`"${login}" is no way to log in: ${loginKinds.join(' or ')}`)
  const caFile = flags.tlsCa ?? given(env['SKEIN_TLS_CA'])
  // What a profile or a data folder trusts is for its own broker.
  const ca = caFile === undefined ? (url === from?.url ? from.ca : undefined) : certificateIn(caFile)
  if (caFile !== undefined && ca === undefined) return wrong(`"${caFile}" has no certificate that can be read (--tls-ca)`)
  const where = { url: fullUrl, token, fleet, subject: claims.sub, login: kind }
  return { ok: true, where: ca === undefined ? where : { ...where, ca } }
}

type Found = {
  url: string
  token?: string | undefined
  fleet?: string | undefined
  login?: Login | undefined
  ca?: string | undefined
}

const wrong = (reason: string): Search => ({ ok: false, kind: 'usage', reason, mayCome: false })
const missing = (what: string, looked: string, mayCome: boolean): Search => ({
  ok: false,
  kind: 'missing',
  reason: `Cannot find a ${what}: ${looked}; start Skein here with "npm start", or name one`,
  mayCome,
})

const given = (text: string | undefined): string | undefined =>
  text === undefined || text.trim() === '' ? undefined : text.trim()
const parsed = <T>(schema: z.ZodType<T>, value: unknown): T | undefined => schema.safeParse(value).data

const readText = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // not there or not ours to read: the answer names the file that was looked for
  }
}

const certificateIn = (file: string): string | undefined => {
  const text = readText(file)
  try {
    return text !== undefined && new X509Certificate(text).raw.length > 0 ? text : undefined
  } catch {
    return undefined // no PEM of a certificate: the answer says so
  }
}

const readJson = (file: string): unknown => jsonIn(readText(file))
const jsonIn = (text: string | undefined): unknown => {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined // no JSON, so nothing that its schema would take
  }
}

/** The claims of a JWT, unproved. */
const claimsOf = (token: string): unknown => jsonIn(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
