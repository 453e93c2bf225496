import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import { readJws } from '../base/jws.ts'
import { publicKeyOf, thumbprintOf } from '../base/p256.ts'
import { seal } from '../base/sealing.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { type Joined, JoinRequest, RenewRequest } from '../schemas/joining.ts'
import { type Jws, PublicJwk } from '../schemas/keys.ts'
import type { Asker } from './asking.ts'
import type { Effects } from './effects.ts'
import type { Fleet } from './fleet.ts'
import type { Handlers } from './handlers.ts'
import type { CommandKeys } from './identity/command-keys.ts'
import type { Issued, Issuing } from './identity/issuing.ts'
import type { Store } from './store/store.ts'
import { isPersons, isReserved } from './subjects.ts'

export interface JoiningDeps {
  fleetName: string
  store: Store
  fleet: Fleet
  commits: GroupCommit
  effects: Effects
  issuing: Issuing
  keys: CommandKeys
  clock: Clock
}

/** A device is given a fresh token no more often than this. */
const renewEveryMs = 60_000
/** So often a device is asked whether it has taken a token. One that cannot write its file would be asked for ever. */
const mostAsks = 3

/** A new token that waits for its device, sealed to the keys that it had shown by then. */
interface Ready {
  sealed: string
  jti: string
  at: number
  sign: string
  to: string
  asks: number
}

/** How devices come to tokens: by joining, and by renewing what they have. What they get is signed here and sealed to them. */
export const createJoining = (deps: JoiningDeps) => {
  const { store, commits, effects, issuing, keys, clock } = deps
  /** New tokens by device, until they are seen in use. */
  const ready = new Map<string, Ready>()
  const making = new Map<string, Promise<string | undefined>>()

  /** What waits for a device, as long as it holds: its token may have been revoked since, and the device removed or joined anew. */
  const readyOf = (name: string): Ready | undefined => {
    const one = ready.get(name)
    if (!one) return undefined
    const row = store.devices.get(name)
    const token = store.tokens.get(one.jti)
    const isListed = token !== undefined && token.revoked_at === null && token.expires_at > clock.now()
    if (isListed && row?.sign_key === one.sign && row.seal_key === one.to) return one
    ready.delete(name)
    return undefined
  }

  const sealFor = async (
    device: string,
    sign: PublicJwk,
    to: PublicJwk,
    { token }: Issued,
    trusts: readonly string[] | undefined,
  ): Promise<string> => {
    const key = publicKeyOf(to)
    if (!key) throw new Error(`The key of "${device}" is none`)
    const joined: Joined = { fleet: deps.fleetName, device, for: thumbprintOf(sign), token }
    return seal(JSON.stringify(keys.believedBy(trusts).sign('skein-joined', JSON.stringify(joined), { withKey: true })), key)
  }

  /** Makes a new token for a device that has shown its keys, enters it in the list, and keeps it ready; undefined if the device goes meanwhile. */
  const renewed = (name: string, trusts: readonly string[] | undefined): Promise<string | undefined> => {
    const known = readyOf(name)
    if (known && clock.now() - known.at < renewEveryMs) return Promise.resolve(known.sealed)
    const underWay = making.get(name)
    if (underWay) return underWay
    const made = (async () => {
      const row = store.devices.get(name)
      const { sign_key: sign, seal_key: to } = row ?? { sign_key: null, seal_key: null }
      if (!sign || !to) throw new Error(`"${name}" has not shown its keys`)
      const issued = await issuing.issue({ subject: name, role: 'device' })
      const sealed = await sealFor(name, PublicJwk.parse(JSON.parse(sign)), PublicJwk.parse(JSON.parse(to)), issued, trusts)
      const isListed = await commits.run(() => {
        // Removed while the token was made, or joined anew with other keys: it is given nothing that holds.
        const present = store.devices.get(name)
        if (present?.sign_key !== sign || present.seal_key !== to) return false
        store.tokens.put(issued.row)
        effects.event('audit', 'skein.audit.token_renewed', name, { subject: name, name, role: 'device', token: issued.row.jti })
        return true
      })
      if (!isListed) return undefined
      ready.set(name, { sealed, jti: issued.row.jti, at: clock.now(), sign, to, asks: 0 })
      return sealed
    })().finally(() => making.delete(name))
    making.set(name, made)
    return made
  }

  const join = async (asker: Asker, request: Jws): Promise<Outcome<unknown>> => {
    const read = readJws(request, 'skein-join', (_, carried) => carried)
    const wish = read.ok ? JoinRequest.safeParse(read.payload) : undefined
    if (!read.ok || !wish?.success || !read.jwk || thumbprintOf(wish.data.sign) !== read.kid || !publicKeyOf(wish.data.seal))
      return fault('request', 'invalid_signature', 'is not signed with the key that it shows')
    if (wish.data.fleet !== deps.fleetName) return fault('request', 'foreign', `is for fleet "${wish.data.fleet}"`)
    const { device, sign, seal: to, trusts } = wish.data
    if (trusts && !trusts.some((kid) => keys.publicKey(kid)))
      return fault('request', 'key_forgotten', 'goes by a key of the controller that was forgotten; make a new join token')
    const before = answered(asker.subject, read.kid, device)
    if (before) return before
    const issued = await issuing.issue({ subject: device, role: 'device' })
    const sealed = await sealFor(device, sign, to, issued, trusts)
    return commits.run((): Outcome<unknown> => {
      // Another request may have come between.
      const since = answered(asker.subject, read.kid, device)
      if (since) return since
      const now = clock.now()
      const jti = store.tokens.ofSubject(asker.subject)?.jti ?? ''
      store.joinings.put({ jti, key: read.kid, device, reply: sealed, at: now })
      store.tokens.used(jti, now)
      store.tokens.put(issued.row)
      ready.delete(device) // what it gets now is newer
      store.devices.join(device, now)
      const row = store.devices.get(device)
      if (row) {
        const known = { ...row, sign_key: JSON.stringify(sign), seal_key: JSON.stringify(to) }
        store.devices.update(known)
        const present = deps.fleet.devices.get(device)
        if (present) deps.fleet.setFacts(present, known)
        else deps.fleet.enter(known)
      }
      effects.event('audit', 'skein.audit.device_joined', asker.subject, { subject: asker.subject, device, key: read.kid })
      effects.event('device', 'skein.device.joined', device, { device })
      return accepted({ device, sealed })
    })
  }

  /** What a join token says to a key: the same again, no, or undefined for a new one that may join. */
  const answered = (subject: string, key: string, device: string): Outcome<unknown> | undefined => {
    const token = store.tokens.ofSubject(subject)
    if (token?.role !== 'join' || token.expires_at <= clock.now())
      return refused('forbidden', 'the join token does not hold any more')
    const known = store.joinings.get(token.jti, key)
    if (known) {
      if (known.reply !== null && known.device === device) return accepted({ device, sealed: known.reply })
      return fault('request', 'already_joined', `"${known.device}" has joined with this token; it needs no other`, 'conflict')
    }
    if (store.joinings.count(token.jti) >= (token.uses ?? 1))
      return fault('request', 'token_used', 'the join token has been used by others; make a new one', 'conflict')
    const row = store.devices.get(device)
    const isOther =
      row && !row.removed && (row.sign_key === null || thumbprintOf(PublicJwk.parse(JSON.parse(row.sign_key))) !== key)
    // A row without its device keeps no name: since the removal it may have been given to somebody else.
    const isAnothers = row ? row.removed === 1 && isPersons(store.tokens, device, clock.now()) : store.tokens.ofSubject(device)
    if (isReserved(device) || isOther || isAnothers)
      return fault('request', 'name_taken', `"${device}" is taken; choose another name, or remove that device first`, 'conflict')
    return undefined
  }

  return {
    handlers: {
      'device.join': (asker, input) => join(asker, input.request),
      'device.renew': async (asker, input): Promise<Outcome<unknown>> => {
        const row = store.devices.get(asker.subject)
        const own = row?.sign_key ? PublicJwk.parse(JSON.parse(row.sign_key)) : undefined
        if (!row || row.removed || !own) return refused('forbidden', `"${asker.subject}" has shown no key here: it has to join`)
        const read = readJws(input.request, 'skein-renew', (kid) => (kid === thumbprintOf(own) ? publicKeyOf(own) : undefined))
        const wish = read.ok ? RenewRequest.safeParse(read.payload) : undefined
        if (!wish?.success || wish.data.device !== asker.subject || wish.data.fleet !== deps.fleetName)
          return fault('request', 'invalid_signature', `is not signed with the key of "${asker.subject}"`)
        const sealed = await renewed(asker.subject, wish.data.trusts)
        if (sealed === undefined) return refused('forbidden', `"${asker.subject}" was removed: it has to join`)
        return accepted({ device: asker.subject, sealed })
      },
    } satisfies Partial<Handlers>,

    /**
     * At a hello: a new token for one that has lived a third of its time, or is signed with an older key. It is not there at once; `made` is called when it is.
     * For one that was revoked there is none: its device has to join.
     */
    tokenFor: (
      name: string,
      inUse: { id: string; issued_at: number; expires_at: number; isOfOldKey: boolean } | undefined,
      made: () => void,
    ): string | undefined => {
      if (!inUse) return undefined
      const one = readyOf(name)
      if (one?.jti === inUse.id) ready.delete(name)
      else if ((store.tokens.get(inUse.id)?.revoked_at ?? null) !== null) return undefined
      else if (one) return one.sealed
      const isYoung = clock.now() / 1000 - inUse.issued_at < (inUse.expires_at - inUse.issued_at) / 3
      if ((!isYoung || inUse.isOfOldKey) && store.devices.get(name)?.seal_key)
        renewed(name, deps.fleet.devices.get(name)?.keys).then(
          (sealed) => sealed && made(),
          () => undefined, // asked for again by the next hello
        )
      return undefined
    },
    /** Whether it is worth a question if a device has taken the token that waits for it; each counts. */
    mayAskIfTaken: (name: string): boolean => {
      const one = readyOf(name)
      if (!one || one.asks >= mostAsks) return false
      one.asks += 1
      return true
    },
  }
}
export type Joining = ReturnType<typeof createJoining>

const fault = (field: string, code: string, message: string, as: 'invalid' | 'conflict' = 'invalid') =>
  refused(as, `${field}: ${message}`, [{ field, code, message }])
