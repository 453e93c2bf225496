import { doublingMs } from '../../base/backoff.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Fetch } from '../../schemas/desired.ts'
import { createBlobWindow, type Range } from './blob-window.ts'
import type { PartFile } from './part-file.ts'

/** The way to the controller, as far as blobs come by it. */
export interface BlobLine {
  isOpen(): boolean
  /** Asks for a part of a blob; while there is no connection that is lost. */
  ask(fetch: Fetch): void
}

export interface PullingDeps {
  clock: Clock
  line: BlobLine
}

const windowBytes = 2 * 1024 * 1024
const askBytes = 512 * 1024
/** What has not come after so long is asked for again, then after twice as long, and so on. */
const againMs = 2000
const mostAgainMs = 30_000

interface Pull {
  take(offset: number, bytes: Uint8Array): void
  askAgain(): void
}

/** Pulls blobs over the bus, part by part: what is lost is asked for again, and without a connection it waits. */
export const createPulling = ({ clock, line }: PullingDeps) => {
  const pulls = new Map<string, Pull>()

  return {
    /** A piece has come. */
    take: (sha256: string, offset: number, bytes: Uint8Array): void => pulls.get(sha256)?.take(offset, bytes),
    /** There is a connection, or a controller, that has not heard what was asked before. */
    askAgain: (): void => {
      for (const pull of pulls.values()) pull.askAgain()
    },
    /** Resolves when all of it is in the file, or when it is not wanted any more; rejects if it cannot be written. One at a time for each blob. */
    pull: (sha256: string, size: number, part: PartFile, signal: AbortSignal, progressed: () => void): Promise<void> =>
      new Promise((resolve, reject) => {
        const window = createBlobWindow({ size, from: part.at(), windowBytes, askBytes })
        let tries = 0
        let lastMono = clock.mono()
        let timer: Timer | undefined

        const end = (settle: () => void): void => {
          timer?.cancel()
          pulls.delete(sha256)
          signal.removeEventListener('abort', stop)
          settle()
        }
        const stop = (): void => end(resolve)
        const ask = (ranges: readonly Range[]): void => {
          if (line.isOpen()) for (const range of ranges) line.ask({ sha256, ...range })
        }
        const askAgain = (): void => {
          lastMono = clock.mono()
          ask(window.missing())
        }
        /** Looks whether anything has come; a timer for each piece would be dear. */
        const look = (): void => {
          const restMs = lastMono + doublingMs(tries, againMs, mostAgainMs) - clock.mono()
          if (restMs <= 0) {
            if (line.isOpen()) tries += 1
            askAgain()
          }
          timer = clock.after(restMs > 0 ? restMs : againMs, look)
        }
        const take = (offset: number, bytes: Uint8Array): void => {
          const parts = window.take(offset, bytes)
          if (!parts) return
          try {
            for (const one of parts) part.write(one)
          } catch (error) {
            return end(() => reject(error))
          }
          tries = 0
          lastMono = clock.mono()
          progressed()
          if (window.isDone()) return end(resolve)
          ask(window.next())
        }

        if (signal.aborted || window.isDone()) return resolve()
        signal.addEventListener('abort', stop)
        pulls.set(sha256, { take, askAgain })
        ask(window.next())
        timer = clock.after(againMs, look)
      }),
  }
}
export type Pulling = ReturnType<typeof createPulling>
