import { chanceFrom } from '../../base/chance.ts'
import { systemClock } from '../../base/clock.ts'
import type { Io } from '../../controller/cli/io.ts'

/** An Io that records what is written, for tests of verbs. */
export const recordingIo = (over: Partial<Io> = {}) => {
  const written = { out: '', err: '' }
  const interrupts: (() => void)[] = []
  let byte = 0
  const io: Io = {
    env: {},
    out: (bytes) => {
      written.out += Buffer.from(bytes).toString()
    },
    err: (bytes) => {
      written.err += Buffer.from(bytes).toString()
    },
    terminal: undefined,
    readStdin: () => Promise.resolve(''),
    openTyped: () => ({
      isTerminal: false,
      size: () => undefined,
      onBytes: () => undefined,
      onEnd: () => undefined,
      onResize: () => undefined,
      close: () => undefined,
    }),
    onInterrupt: (call) => interrupts.push(call),
    onOutClosed: () => undefined,
    clock: systemClock,
    chance: chanceFrom((count) => Uint8Array.from({ length: count }, () => byte++ % 256)),
    ...over,
  }
  return { io, written, interrupt: () => interrupts.forEach((call) => call()) }
}
