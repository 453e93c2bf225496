import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type KeyRingFiles, keyRingOf } from '../../controller/identity/key-ring.ts'
import { type TokenKeyFiles, tokenKeysOf } from '../../controller/identity/token-keys.ts'

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

/** Keys that lie in no file. */
const someKeys = (): KeyRingFiles => {
  let all = [newKey()]
  const ring = keyRingOf(() => all)
  return {
    ...ring,
    rotate: () => {
      all = [newKey(), ...all]
      return ring.newest().kid
    },
    forget: (kid) => {
      const at = ring.kids().indexOf(kid)
      if (at <= 0) return at < 0 ? 'unknown' : 'newest'
      all = all.filter((_, i) => i !== at)
      return 'forgotten'
    },
  }
}

export const someCommandKeys = someKeys
export const someTokenKeys = (): TokenKeyFiles => tokenKeysOf(someKeys())
