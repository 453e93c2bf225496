import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Timer } from '../../base/clock.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'

/** How far a blob is: `complete` once all of it is here and is what its name says. */
export interface BlobState {
  sha256: string
  offset: number
  complete: boolean
}

/** A file that was read lately stays open for so long. */
const idleMs = 30_000

/** The bundles, as files named by their SHA-256. What is being brought is a file beside, which is as long as what has come. */
export const openBlobs = (folder: string, clock: Clock) => {
  const turns = new Map<string, Promise<unknown>>()
  const opened = new Map<string, { handle: Promise<FileHandle>; timer: Timer }>()
  const fileOf = (sha256: string): string => join(folder, sha256)
  const partOf = (sha256: string): string => join(folder, `${sha256}.part`)
  const sizeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.size

  const state = (sha256: string): BlobState => {
    const whole = sizeOf(fileOf(sha256))
    return { sha256, offset: whole ?? sizeOf(partOf(sha256)) ?? 0, complete: whole !== undefined }
  }

  /** One thing at a time for each blob. */
  const inTurn = <T>(sha256: string, work: () => Promise<T>): Promise<T> => {
    const turn = (turns.get(sha256) ?? Promise.resolve()).then(work, work)
    turns.set(sha256, turn)
    const done = (): void => {
      if (turns.get(sha256) === turn) turns.delete(sha256)
    }
    turn.then(done, done)
    return turn
  }

  const finish = async (sha256: string): Promise<Outcome<BlobState>> => {
    const part = partOf(sha256)
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(part, { highWaterMark: 256 * 1024 })) hash.update(chunk)
    if (hash.digest('hex') !== sha256) {
      await rm(part, { force: true })
      const message = 'what was brought is not what its name says: begin again'
      return refused('invalid', `sha256: ${message}`, [{ field: 'sha256', code: 'digest_mismatch', message }])
    }
    const handle = await open(part, 'r')
    await handle.sync()
    await handle.close()
    await rename(part, fileOf(sha256))
    return accepted(state(sha256))
  }

  return {
    state,
    file: fileOf,
    /** Takes bytes at an offset; what is not the next is answered with where to go on. Refuses what is not what its name says when it is all there. */
    put: (sha256: string, size: number, offset: number, bytes: Uint8Array): Promise<Outcome<BlobState>> =>
      inTurn(sha256, async () => {
        const now = state(sha256)
        if (now.complete || (bytes.length > 0 && offset !== now.offset)) return accepted(now)
        if (now.offset + bytes.length > size) {
          const message = `goes beyond the ${size} bytes that were told`
          return refused('invalid', `data: ${message}`, [{ field: 'data', code: 'too_long', message }])
        }
        if (bytes.length > 0) {
          mkdirSync(folder, { recursive: true, mode: 0o700 })
          const handle = await open(partOf(sha256), 'a', 0o600)
          try {
            await handle.appendFile(bytes)
          } finally {
            await handle.close()
          }
        }
        return now.offset + bytes.length === size ? finish(sha256) : accepted(state(sha256))
      }),
    /** Bytes of a blob that is whole; fewer at its end. */
    read: async (sha256: string, offset: number, length: number): Promise<Uint8Array> => {
      const known = opened.get(sha256)
      known?.timer.cancel()
      const handle = known?.handle ?? open(fileOf(sha256), 'r')
      const close = (): void => {
        opened.delete(sha256)
        void handle.then((file) => file.close()).catch(() => undefined) // it could not be opened, which its reader was told
      }
      opened.set(sha256, { handle, timer: clock.after(idleMs, close) })
      try {
        const file = await handle
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset)
        return buffer.subarray(0, bytesRead)
      } catch (error) {
        opened.get(sha256)?.timer.cancel()
        opened.delete(sha256)
        throw error
      }
    },
    /** Those that are here, whole or not: their names and what they take. */
    list: (): { sha256: string; bytes: number; complete: boolean; changedAt: number }[] => {
      try {
        return readdirSync(folder).flatMap((name) => {
          const [, sha256, part] = /^([0-9a-f]{64})(\.part)?$/.exec(name) ?? []
          const stat = statSync(join(folder, name), { throwIfNoEntry: false })
          return sha256 === undefined || !stat
            ? []
            : [{ sha256, bytes: stat.size, complete: part === undefined, changedAt: stat.mtimeMs }]
        })
      } catch {
        return [] // there is no folder before the first one
      }
    },
    remove: (sha256: string): void => {
      rmSync(fileOf(sha256), { force: true })
      rmSync(partOf(sha256), { force: true })
    },
    close: (): void => {
      for (const { handle, timer } of opened.values()) {
        timer.cancel()
        void handle.then((file) => file.close()).catch(() => undefined) // it could not be opened, which its reader was told
      }
      opened.clear()
    },
  }
}
export type Blobs = ReturnType<typeof openBlobs>
