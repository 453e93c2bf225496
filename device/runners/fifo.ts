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

// As large as a pipe is by default. All pipes share it.
const chunk = Buffer.allocUnsafeSlow(64 * 1024)
// As large as a pipe can be made without privileges: what was written before the drain began lies within.
const maxPipeBytes = 1024 * 1024

/** After a read of less than half a pipe the next one waits for `ms`. */
export interface Rest {
  clock: Clock
  ms: number
}

/** `take` has to copy what it wants to keep: the bytes are overwritten by the next read. */
export const openFifo = (path: string, take: (bytes: Uint8Array) => void, failed: (error: Error) => void, rest?: Rest): Fifo => {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  let isPaused = false
  let isClosed = false
  let resting: Timer | undefined
  // With `onread` no stream buffer stands between the pipe and `take`, so a pause holds at once and a drain reorders nothing.
  const onread = {
    buffer: chunk,
    callback: (count: number, bytes: Uint8Array): boolean => {
      if (isClosed) return false
      take(bytes.subarray(0, count))
      if (isPaused || !rest || count > chunk.length / 2) return !isPaused
      resting = rest.clock.after(rest.ms, () => {
        resting = undefined
        if (!isPaused && !isClosed) socket.resume()
      })
      return false
    },
  }
  // Not written in place because the type of the constructor does not know `onread`, though it takes it as `connect` does.
  const options = { fd, readable: true, writable: false, onread }
  let socket: Socket
  try {
    socket = new Socket(options)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  socket.on('error', failed)
  return {
    pause: () => {
      isPaused = true
      resting?.cancel()
      socket.pause()
    },
    resume: () => {
      isPaused = false
      socket.resume()
    },
    drain: () => {
      for (let total = 0; total < maxPipeBytes; ) {
        if (isPaused) return false
        const count = readSome(fd)
        if (count === 0) return true
        total += count
        take(chunk.subarray(0, count))
      }
      // Somebody outside the run still writes into it: what the run itself wrote has been read.
      return true
    },
    close: () => {
      isClosed = true
      resting?.cancel()
      socket.destroy()
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
