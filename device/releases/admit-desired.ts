import type { KeyObject } from 'node:crypto'
import { readJws } from '../../base/jws.ts'
import { Desired } from '../../schemas/desired.ts'
import { ReleaseStatement } from '../../schemas/release.ts'

export interface DesiredContext {
  fleet: string
  device: string
  /** The revision and epoch of the last one that was obeyed; undefined before the first. */
  seen: { revision: number; epoch: number } | undefined
  /** A key of the controller that is believed, by its thumbprint; `carried` is one that came along with the signature. */
  keyFor: (kid: string, carried: KeyObject | undefined) => KeyObject | undefined
}

export type DesiredAdmission = { ok: true; desired: Desired } | { ok: false; reason: string }

/**
 * Decides whether a document that says what this device is to run is obeyed: not without a signature of a key that is believed, on it
 * and on each release; not one for somebody else; not one that is older than what was obeyed before. That the broker had kept it is as it
 * should be, and no welcome has to come first: a device boots to it alone.
 */
export const admitDesired = (payload: unknown, { fleet, device, seen, keyFor }: DesiredContext): DesiredAdmission => {
  const signed = readJws(payload, 'skein-desired', keyFor)
  if (!signed.ok) return no(signed.reason)
  const parsed = Desired.safeParse(signed.payload)
  if (!parsed.success) return no('unreadable')
  const desired = parsed.data
  if (desired.fleet !== fleet || desired.device !== device) return no('foreign')
  if (seen && desired.revision < seen.revision) return no('old_revision')
  if (seen && desired.revision === seen.revision && desired.epoch < seen.epoch) return no('old_epoch')
  if (new Set(desired.releases.map(({ name }) => name)).size < desired.releases.length) return no('one_name_twice')
  for (const release of desired.releases) {
    const statement = readJws(release.signature, 'skein-release', keyFor)
    if (!statement.ok) return no(`release_${statement.reason}`)
    const stated = ReleaseStatement.safeParse(statement.payload)
    if (!stated.success) return no('release_unreadable')
    const { name, version, digest, bundle } = stated.data
    const isMeant =
      name === release.name && version === release.version && digest === release.digest && bundle.sha256 === release.bundle.sha256
    if (!isMeant) return no('release_foreign')
  }
  return { ok: true, desired }
}

const no = (reason: string): DesiredAdmission => ({ ok: false, reason })
