import type { pathsIn } from '../../base/paths.ts'
import { type KeyRing, type KeyRingFiles, openKeyRing } from './key-ring.ts'

/**
 * The keys that commands are signed with. After a rotation a device that was away knows only the older ones, and learns of the new one
 * from a welcome that an old one has signed.
 */
export type CommandKeys = KeyRing
export type CommandKeyFiles = KeyRingFiles

export const openCommandKeys = ({ keys }: Pick<ReturnType<typeof pathsIn>, 'keys'>): CommandKeyFiles =>
  openKeyRing(keys, 'command-key', 'command-key-1.pem')
