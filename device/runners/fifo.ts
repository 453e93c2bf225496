import { closeSync, constants, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Clock, Timer } from '../../base/clock.ts'

/** A named pipe that is read as bytes come, and never ends: it is open for writing too. */
export interface Fifo {
  pause(): void
  resume(): void
  /** Reads what is left, now, in this call, until the pipe is empty or `take` has paused. Says whether it is empty. */
  drain(): boolean
  close(): void
}

export interface FifoOptions {
  path: string
  /** Is given bytes that the next read overwrites. */
  take: (bytes: Buffer) => void
  failed: (error: Error) => void
  clock: Clock
  /** How long is waited between reads that find little. */
  restMs?: () => number
  /** How long after the first `resume` it is listened to; without this, in that very call. What is over before that costs no more than a drain. */
  afterMs?: number
}

// As large as a pipe is by default. All pipes share it.
const chunk = Buffer.allocUnsafeSlow(64 * 1024)
// As large as a pipe can be made without privileges: what was written before the drain began lies within.
const maxPipeBytes = 1024 * 1024
/** So long after half a pipe was read since the last rest there is none. */
const floodMs = 100
const againMs = 1000

/**
 * `take` is called in the step of the read, so hardly any kill falls between the two; it has to copy what it wants to keep, because the bytes are
 * overwritten by the next read. The poll of the kernel tells when there is something: inotify tells of a write only when all of it is in the
 * pipe, which one that is larger than the pipe never is.
 */
export const openFifo = ({ path, take, failed, clock, restMs = () => 0, afterMs }: FifoOptions): Fifo => {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  let isPaused = false
  let isClosed = false
  let socket: Socket | undefined
  let resting: Timer | undefined
  /** Read since the last rest, and until when that was enough to go on without one. */
  let recent = 0
  let floodUntil = 0

  /** Lines that trickle are read together: it is less work. A flood is read without rest, even where a single read finds little. */
  const restAfter = (count: number): number => {
    recent += count
    if (recent >= chunk.length / 2) {
      recent = 0
      floodUntil = clock.mono() + floodMs
      return 0
    }
    return clock.mono() < floodUntil ? 0 : restMs()
  }

  // With `onread` no stream buffer stands between the pipe and `take`, so a pause holds at once and a drain reorders nothing.
  const onread = {
    buffer: chunk,
    callback: (count: number, bytes: Uint8Array): boolean => {
      if (isClosed) return false
      take(Buffer.from(bytes.buffer, bytes.byteOffset, count))
      if (isPaused) return false
      const ms = restAfter(count)
      if (ms === 0) return true
      resting = clock.after(ms, () => {
        resting = undefined
        recent = 0
        if (!isPaused && !isClosed) socket?.resume()
      })
      return false
    },
  }
  const listen = (): void => {
    // Not written in place because the type of the constructor does not know `onread`, though it takes it as `connect` does.
    const options = { fd, readable: true, writable: false, onread }
    socket = new Socket(options)
    socket.on('error', failed)
    socket.resume()
  }
  const listenIn = (ms: number): void => {
    resting ??= clock.after(ms, () => {
      resting = undefined
      try {
        listen()
      } catch (error) {
        failed(error instanceof Error ? error : new Error(String(error)))
        listenIn(againMs)
      }
    })
  }
  return {
    pause: () => {
      isPaused = true
      resting?.cancel()
      resting = undefined
      socket?.pause()
    },
    resume: () => {
      isPaused = false
      if (socket) socket.resume()
      else if (afterMs === undefined) listen()
      else listenIn(afterMs)
    },
    // Somebody outside the run may still write into it: what the run itself wrote lies within the limit.
    drain: () => {
      for (let total = 0; total < maxPipeBytes; ) {
        if (isPaused || isClosed) return false
        const count = readSome(fd)
        if (count === 0) return true
        total += count
        take(chunk.subarray(0, count))
      }
      return true
    },
    close: () => {
      if (isClosed) return
      isClosed = true
      resting?.cancel()
      if (socket) socket.destroy()
      else closeSync(fd)
    },
  }
}

const readSome = (fd: number): number => {
  try {
    return readSync(fd, chunk)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0
    throw error
  }
}
