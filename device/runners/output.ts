import { join } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { RunWatcher } from '../runner.ts'
import { type Fifo, openFifo } from './fifo.ts'

/** Both streams of one run, from its pipes to the watcher. */
export interface Output {
  /** Reads from now on; not before this call. */
  begin(): void
  pause(): void
  resume(): void
  /** Reads the pipes empty. False while that has to wait for `resume`. */
  drain(): boolean
  close(): void
}

export interface OutputDeps {
  folder: string
  /** Pipes do not survive a reboot. */
  hasPipes: boolean
  watcher: Pick<RunWatcher, 'output'>
  clock: Clock
  log: Log
}

/** Short enough for whoever watches, long enough that a program that writes line by line costs little. */
const restMs = (): number => 20
/** Most short runs are over by then. */
const afterMs = 10

export const openOutput = ({ folder, hasPipes, watcher, clock, log }: OutputDeps): Output => {
  const failed = (error: Error): void => log.warn({ err: error }, 'a pipe of a run cannot be read')
  const pipes: Fifo[] = []
  let isPaused = false
  let hasBegun = false
  const close = (): void => {
    for (const pipe of pipes) pipe.close()
  }
  try {
    for (const [name, stream] of hasPipes
      ? ([
          ['out', 'o'],
          ['err', 'e'],
        ] as const)
      : []) {
      const take = (bytes: Buffer): void => watcher.output(stream, bytes)
      pipes.push(openFifo({ path: join(folder, name), take, failed, clock, restMs, afterMs }))
    }
  } catch (error) {
    close()
    throw error
  }
  return {
    begin: () => {
      hasBegun = true
      if (!isPaused) for (const pipe of pipes) pipe.resume()
    },
    pause: () => {
      isPaused = true
      for (const pipe of pipes) pipe.pause()
    },
    resume: () => {
      isPaused = false
      if (hasBegun) for (const pipe of pipes) pipe.resume()
    },
    drain: () => hasBegun && !isPaused && pipes.every((pipe) => pipe.drain()),
    close,
  }
}
