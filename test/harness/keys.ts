import { newPrivateKey } from '../../base/p256.ts'
import { type KeyRingFiles, keyRingOf } from '../../controller/identity/key-ring.ts'
import { type TokenKeyFiles, tokenKeysOf } from '../../controller/identity/token-keys.ts'

/** Keys that lie in no file. */
const someKeys = (): KeyRingFiles => {
  let all = [newPrivateKey()]
  const ring = keyRingOf(() => all)
  return {
    ...ring,
    rotate: () => {
      all = [newPrivateKey(), ...all]
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
