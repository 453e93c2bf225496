import { closeSync, openSync, readSync } from 'node:fs'

// All that is read this way is decoded before the next read.
const buffer = Buffer.allocUnsafeSlow(64 * 1024)

/**
 * Reads a small file of /proc or /sys, with half of the system calls of `readFileSync`; undefined if it is not there, or not ours to
 * read. What is longer than 64 KiB is cut.
 */
export const readSmall = (path: string): string | undefined => {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    // Gone, or another user's; nothing else can fail here but for lack of descriptors.
    return undefined
  }
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer))
  } catch {
    // ESRCH, ENODEV: it went while it was read.
    return undefined
  } finally {
    closeSync(fd)
  }
}
