import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { EncryptJWT, errors, jwtDecrypt } from 'jose'
import { z } from 'zod'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { Clock } from '../../base/clock.ts'
import { type AskerRole, askerRoles } from '../../schemas/operation.ts'

/** Somebody who has signed in: by which token, and until when. */
export interface Session {
  id: string
  token: string
  subject: string
  role: AskerRole
  /** Milliseconds since 1970. */
  expiresAt: number
}

/** So long a session holds at most; its token may end before. */
const lifeMs = 7 * 24 * 3600_000

const Claims = z.object({
  jti: z.string(),
  exp: z.number(),
  sub: z.string(),
  role: z.enum(askerRoles),
  token: z.string(),
})
const Ended = z.record(z.string(), z.number())

/**
 * Sessions that need no memory: the cookie is the session, sealed with a key of this installation, so that it outlives a restart and is
 * good at every dashboard of the same key. What was signed out is written down until it would have ended by itself.
 */
export const openSessions = (files: { key: string; ended: string }, clock: Clock) => {
  const key = keyIn(files.key)
  const ended = new Map<string, number>()
  let readAtMs = 0
  // Cookies do not know ports: two installations on one machine must not take each other's.
  const cookie = `skein-${createHash('sha256').update(key).digest('hex').slice(0, 8)}`

  /** Others of this data folder write there too. */
  const recall = (): void => {
    const changedAtMs = statSync(files.ended, { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (changedAtMs === readAtMs) return
    readAtMs = changedAtMs
    for (const [id, expiresAt] of Object.entries(endedIn(files.ended))) ended.set(id, expiresAt)
  }

  const seal = (session: Session): Promise<string> =>
    new EncryptJWT({ token: session.token, role: session.role })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setSubject(session.subject)
      .setJti(session.id)
      .setExpirationTime(Math.floor(session.expiresAt / 1000))
      .encrypt(key)

  const open = async (sealed: string): Promise<Session | undefined> => {
    try {
      const { payload } = await jwtDecrypt(sealed, key, {
        currentDate: new Date(clock.now()),
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      })
      const { jti, exp, sub, role, token } = Claims.parse(payload)
      recall()
      return ended.has(jti) ? undefined : { id: jti, token, subject: sub, role, expiresAt: exp * 1000 }
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof z.ZodError) return undefined // expired, changed, or of another key
      throw error
    }
  }

  return {
    /** A new session of a token that holds until then. */
    begin: async (
      token: string,
      who: { subject: string; role: AskerRole; expiresAt: number },
    ): Promise<{ session: Session; sealed: string }> => {
      const expiresAt = Math.min(clock.now() + lifeMs, who.expiresAt)
      const session = { id: randomUUID(), token, subject: who.subject, role: who.role, expiresAt }
      return { session, sealed: await seal(session) }
    },
    /** The session that a request comes with; undefined if there is none that holds. */
    of: async (cookies: string | undefined): Promise<Session | undefined> => {
      const sealed = valueIn(cookies, cookie)
      return sealed === undefined ? undefined : open(sealed)
    },
    holds: (session: Session): boolean => {
      recall()
      return session.expiresAt > clock.now() && !ended.has(session.id)
    },
    end: (session: Session): void => {
      recall()
      ended.set(session.id, session.expiresAt)
      for (const [id, expiresAt] of ended) if (expiresAt <= clock.now()) ended.delete(id)
      writeFileAtomic(files.ended, `${JSON.stringify(Object.fromEntries(ended))}\n`, 0o600)
    },
    /** The Set-Cookie header that hands a session over, or with no session takes it back. */
    header: (sealed: string | undefined, maxAgeMs: number, isSecured: boolean): string =>
      [
        `${cookie}=${sealed ?? ''}`,
        'Path=/',
        'HttpOnly',
        'SameSite=Strict',
        `Max-Age=${sealed === undefined ? 0 : Math.max(0, Math.floor(maxAgeMs / 1000))}`,
        ...(isSecured ? ['Secure'] : []),
      ].join('; '),
  }
}
export type Sessions = ReturnType<typeof openSessions>

const keyIn = (file: string): Uint8Array => {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileAtomic(file, `${randomBytes(32).toString('base64url')}\n`, 0o600)
  }
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url')
  if (key.length !== 32) throw new Error(`Cannot use the key of sessions in "${file}": it is ${key.length} bytes, not 32`)
  return key
}

const endedIn = (file: string): Record<string, number> => {
  try {
    return Ended.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return {} // none has been ended yet; what cannot be read must not keep everybody out
  }
}

const valueIn = (cookies: string | undefined, name: string): string | undefined =>
  cookies
    ?.split(';')
    .map((one) => one.trim())
    .find((one) => one.startsWith(`${name}=`))
    ?.slice(name.length + 1) || undefined
