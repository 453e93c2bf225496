import { join } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { RunWatcher } from '../runner.ts'
import { type Fifo, openFifo } from './fifo.ts'
import { openTail } from './tail.ts'

/** Both streams of one run, from its pipes through its tail to the watcher: no byte twice, none lost, none out of order. */
export interface Output {
  /** Hands out what an earlier daemon had read but not journalled, then reads on. Not before this call. */
  begin(): void
  pause(): void
  resume(): void
  journalled(stream: 'o' | 'e', offset: number): void
  /** Reads the pipes empty. False while that has to wait for `resume`. */
  drain(): boolean
  close(): void
}

export interface OutputDeps {
  folder: string
  /** Pipes do not survive a reboot: then only the tail is left. */
  hasPipes: boolean
  journalled: { o: number; e: number }
  watcher: Pick<RunWatcher, 'output'>
  clock: Clock
  log: Log
}

/**
 * A daemon that is killed between a read and the write into the tail takes those bytes along, and Node has no call that does both
 * at once. So lines that trickle are read 10 times a second, not each on its own: fewer kills fall between, and it is less work. A
 * flood is read without rest.
 */
const restMs = 100

export const openOutput = ({ folder, hasPipes, journalled: known, watcher, clock, log }: OutputDeps): Output => {
  const tail = openTail(folder)
  const journalled = { ...known }
  const next = { ...known }
  const left = tail.left.filter((frame) => frame.offset + frame.bytes.length > known[frame.stream])
  for (const frame of left) next[frame.stream] = frame.offset + frame.bytes.length
  let isPaused = false
  let hasBegun = false

  const failed = (error: Error): void => log.warn({ err: error }, 'a pipe of a run cannot be read')
  const take =
    (stream: 'o' | 'e') =>
    (bytes: Uint8Array): void => {
      const offset = next[stream]
      try {
        // First of all: a daemon that is killed between its read and this write takes the bytes along.
        tail.append({ stream, offset, bytes })
      } catch (error) {
        // The bytes are still handed out: all that is lost is their safety until they are in the journal.
        log.warn({ err: error }, 'output cannot be kept on disk')
      }
      next[stream] += bytes.length
      watcher.output(stream, offset, Buffer.from(bytes))
    }
  const pipes: Fifo[] = []
  try {
    if (hasPipes) {
      pipes.push(openFifo(join(folder, 'out'), take('o'), failed, { clock, ms: restMs }))
      pipes.push(openFifo(join(folder, 'err'), take('e'), failed, { clock, ms: restMs }))
    }
  } catch (error) {
    close()
    throw error
  }
  for (const pipe of pipes) pipe.pause()

  function flow(): void {
    if (!hasBegun) return
    for (let frame = left[0]; frame && !isPaused; frame = left[0]) {
      left.shift()
      const skip = Math.max(0, known[frame.stream] - frame.offset)
      watcher.output(frame.stream, frame.offset + skip, frame.bytes.subarray(skip))
    }
    if (!isPaused) for (const pipe of pipes) pipe.resume()
  }
  function close(): void {
    for (const pipe of pipes) pipe.close()
    tail.close()
  }
  return {
    begin: () => {
      hasBegun = true
      flow()
    },
    pause: () => {
      isPaused = true
      for (const pipe of pipes) pipe.pause()
    },
    resume: () => {
      isPaused = false
      flow()
    },
    journalled: (stream, offset) => {
      journalled[stream] = Math.max(journalled[stream], offset)
      tail.covered(journalled)
    },
    drain: () => hasBegun && !isPaused && left.length === 0 && pipes.every((pipe) => pipe.drain()),
    close,
  }
}
