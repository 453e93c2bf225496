import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { pathsIn } from '../../base/paths.ts'
import { pemOf } from './key-files.ts'
import { type KeyRing, type KeyRingFiles, openKeyRing } from './key-ring.ts'

/**
 * The keys that a fleet's tokens are signed with: by the newest. What has to be believed before a broker has heard of that, the
 * controller's own token and the list that tells of keys, is signed by the oldest, which every broker knows.
 */
export interface TokenKeys extends KeyRing {
  /** The public halves of all of them, newest first, as a broker is given them. */
  publicKeysPem(): string
}
export type TokenKeyFiles = TokenKeys & KeyRingFiles

export type TokenKeyPaths = Pick<ReturnType<typeof pathsIn>, 'keys' | 'tokenKey' | 'tokenKeyPublic'>

export const tokenKeysOf = <R extends KeyRing>(ring: R): R & TokenKeys => ({
  ...ring,
  publicKeysPem: () =>
    ring
      .kids()
      .flatMap((kid) => ring.publicKey(kid) ?? [])
      .map((key) => pemOf(key, 'spki'))
      .join(''),
})

/** Loads the fleet's token keys, or makes the first one. Two processes that race end with the same. */
export const openTokenKeys = (paths: TokenKeyPaths): TokenKeyFiles => {
  const ring = tokenKeysOf(openKeyRing(paths.keys, 'token-key', basename(paths.tokenKey)))
  // For a broker apart (--token-key); whoever writes it writes the same.
  const tell = (): void => {
    const pem = ring.publicKeysPem()
    if (textOf(paths.tokenKeyPublic) !== pem) writeFileAtomic(paths.tokenKeyPublic, pem)
  }
  tell()
  return {
    ...ring,
    rotate: () => {
      const kid = ring.rotate()
      tell()
      return kid
    },
    forget: (kid) => {
      const result = ring.forget(kid)
      tell()
      return result
    },
  }
}

const textOf = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)
