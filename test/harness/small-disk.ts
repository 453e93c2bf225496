import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A small file system of its own on a folder, which a test fills and empties; it has room for so many files too, if that is said. */
export const mountSmallDisk = (folder: string, megabytes: number, files = 0) => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const options = `size=${megabytes}m,nr_inodes=${files},mode=0700`
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' })
  const ballast = join(folder, 'ballast')
  let made = 0
  return {
    /** Takes all the room that is left. */
    fill: (): void => {
      const fd = openSync(ballast, 'a')
      try {
        for (let size = 65_536; size >= 1; ) {
          try {
            writeSync(fd, Buffer.alloc(size))
          } catch (error) {
            if (!isNoRoom(error)) throw error
            size = Math.floor(size / 2)
          }
        }
      } finally {
        closeSync(fd)
      }
    },
    /** Makes empty files until there can be no more. */
    fillFiles: (): void => {
      mkdirSync(`${ballast}.files`, { recursive: true })
      for (; made < mostFiles; made++) {
        try {
          closeSync(openSync(join(`${ballast}.files`, String(made)), 'w'))
        } catch (error) {
          if (isNoRoom(error)) return
          throw error
        }
      }
    },
    free: (): void => {
      rmSync(ballast, { force: true })
      rmSync(`${ballast}.files`, { recursive: true, force: true })
    },
    close: (): void => void execFileSync('umount', ['-l', folder], { stdio: 'pipe' }),
  }
}
const mostFiles = 100_000
const isNoRoom = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOSPC'

export type SmallDisk = ReturnType<typeof mountSmallDisk>

/** Whether file systems can be mounted here. Only root can, and not in every container: it is told loudly, and under CI root has to. */
export const canMount = (): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-mount-'))
  try {
    mountSmallDisk(join(folder, 'try'), 1).close()
    return true
  } catch (error) {
    const isRequired = (process.env['CI'] ?? '') !== '' && process.getuid?.() === 0
    if (isRequired)
      throw new Error('Cannot mount a small file system, and under CI nothing is skipped for that', { cause: error })
    console.warn('SKIPPED: a small file system cannot be mounted here, so a full disk was not tried')
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
