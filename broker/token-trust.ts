import type { KeyObject } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { readJws } from '../base/jws.ts'
import type { Log } from '../base/log.ts'
import { jwkOf, publicKeyOf, thumbprintOf } from '../base/p256.ts'
import { publicKeysIn } from '../base/public-keys.ts'
import { FleetName, Instant, instant } from '../schemas/ids.ts'
import { PublicJwk } from '../schemas/keys.ts'

/** A token, as far as it matters whether it still holds. */
export interface TokenMark {
  jti: string
  /** The thumbprint of the key that it is signed with. */
  kid: string
}

/** Which tokens are believed: those whose key holds, and that were not revoked; as the controller last told. */
export interface TokenTrust {
  keyFor(kid: string): KeyObject | undefined
  /** Whether a token holds no more, though its time has not come. */
  isRevoked(token: TokenMark | undefined): boolean
  /** Takes a list as it was published. */
  take(payload: Uint8Array): void
  /** The list that was taken last, as it was published; undefined if there was none. */
  lastTaken(): string | undefined
  /** From now on these keys hold, until a list says something else. Throws if there is none in the text. */
  setKeys(pem: string): void
}

const List = z.looseObject({
  fleet: FleetName,
  at: Instant,
  revoked: z.array(z.string().max(128)),
  /** All keys that hold. */
  keys: z.array(PublicJwk).min(1).optional(),
})

/** What is kept of what was told, on the ground of which keys (thumbprints) that had been given. */
const Kept = z.object({ given: z.array(z.string()), keys: z.array(PublicJwk), list: z.unknown() })

type Keys = ReadonlyMap<string, KeyObject>

/**
 * Only the holder of a key that holds can make a list, and only a newer one counts: so keys that have been given introduce those
 * that follow. With a `file` all of it outlives the broker; the keys as long as it is given the same ones.
 */
export const openTokenTrust = (deps: {
  fleet: string
  publicKeysPem: string
  file: string | undefined
  log: Log
  onRevoked: () => void
}): TokenTrust => {
  const { fleet, file, log } = deps
  let given: Keys = publicKeysIn(deps.publicKeysPem)
  let keys = given
  let at = Number.NEGATIVE_INFINITY
  let revoked: ReadonlySet<string> = new Set()
  let lastTaken: string | undefined

  /** The list, if it is one that counts. */
  const learn = (value: unknown): z.infer<typeof List> | undefined => {
    const read = readJws(value, 'skein-revoked', (kid) => keys.get(kid))
    const list = read.ok ? List.safeParse(read.payload) : undefined
    if (!list?.success || list.data.fleet !== fleet) {
      log.warn({ reason: read.ok ? 'it is none of this fleet' : read.reason }, 'list of revoked tokens ignored')
      return undefined
    }
    const time = Date.parse(list.data.at)
    if (time < at) {
      log.warn(
        { list_at: list.data.at, last_at: instant(at) },
        'list of revoked tokens ignored: the last one is newer; if it goes on, restart this broker: then the controller sees that one, and goes above it',
      )
      return undefined
    }
    // Two of the same moment: which is the later one cannot be told, so both hold.
    revoked = new Set(time === at ? [...revoked, ...list.data.revoked] : list.data.revoked)
    at = time
    lastTaken = JSON.stringify(value)
    return list.data
  }

  const keep = (list: unknown): void => {
    if (file === undefined) return
    const kept: z.infer<typeof Kept> = { given: [...given.keys()], keys: [...keys.values()].map(jwkOf), list }
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      writeFileAtomic(file, JSON.stringify(kept), 0o600)
    } catch (error) {
      log.warn({ err: error, file }, 'list of revoked tokens cannot be kept: a restart forgets it until the controller is there')
    }
  }

  const text = file === undefined ? '' : textIn(file)
  const before = Kept.safeParse(jsonOf(text))
  if (text !== '' && !before.success) log.warn({ file }, 'what was told of tokens cannot be read; the controller will tell again')
  if (before.success) {
    const isSame = before.data.given.length === given.size && before.data.given.every((kid) => given.has(kid))
    if (isSame) keys = keysOf(before.data.keys)
    learn(before.data.list)
  }

  return {
    keyFor: (kid) => keys.get(kid),
    isRevoked: (token) => token !== undefined && (revoked.has(token.jti) || !keys.has(token.kid)),
    take: (payload) => {
      const value = jsonOf(Buffer.from(payload).toString('utf8'))
      const list = learn(value)
      if (!list) return
      if (list.keys) keys = keysOf(list.keys)
      keep(value)
      deps.onRevoked()
    },
    lastTaken: () => lastTaken,
    setKeys: (pem) => {
      given = publicKeysIn(pem)
      keys = given
      deps.onRevoked()
    },
  }
}

const keysOf = (jwks: readonly PublicJwk[]): Keys =>
  new Map(
    jwks.flatMap((jwk) => {
      const key = publicKeyOf(jwk)
      return key ? [[thumbprintOf(jwk), key] as const] : []
    }),
  )

const textIn = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '' // none has come yet
    throw new Error(`Cannot read what was told of tokens, "${file}"`, { cause: error })
  }
}

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // told as unsigned
  }
}
