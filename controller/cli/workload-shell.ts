import { every } from '../../base/clock.ts'
import { createEscape } from './escape.ts'
import { usageFailure } from './exit.ts'
import type { Io } from './io.ts'
import { openShellSession, pollSeconds } from './shell-session.ts'
import { withClient } from './with-client.ts'
import { answerSecondsOf, deviceOf, type OfDevice } from './workload-device.ts'

/** What a terminal sends for the end of what is typed: Ctrl-D. */
const endOfInput = Buffer.from('\x04')
const newline = 0x0a
const endAgainMs = 1000
const marginSeconds = 5

/** `workload shell`: a shell where the workload runs, in this terminal; ends as the shell ends. */
export const openShell = (io: Io, flags: OfDevice, workload: string): Promise<number> => {
  if (flags.json) throw usageFailure('A shell gives no JSON; go without --json')
  const answerSeconds = answerSecondsOf(flags)
  return withClient(io, { ...flags, timeout: answerSeconds + pollSeconds + marginSeconds }, async (client) => {
    const device = await deviceOf(client, flags, workload)
    const typed = io.openTyped()
    try {
      const { TERM: term } = io.env
      const shell = await openShellSession(
        { client, io, device, workload, answerSeconds },
        { ...typed.size(), ...(typed.isTerminal && term !== undefined && /^[\w.+-]{1,64}$/.test(term) ? { term } : {}) },
      )
      if (typed.isTerminal) io.err(`skein: a shell on ${device}; "~." at the start of a line leaves it\r\n`)
      const passing = createEscape()
      let leave: (code: Promise<number>) => void = () => undefined
      const left = new Promise<number>((resolve, reject) => {
        leave = (code) => void code.then(resolve, reject)
      })
      let last: number | undefined = newline
      typed.onBytes((bytes) => {
        const { pass, leaves } = typed.isTerminal ? passing(bytes) : { pass: Buffer.from(bytes), leaves: false }
        last = pass.at(-1) ?? last
        if (pass.length > 0) shell.type(pass)
        if (leaves) leave(shell.end())
      })
      typed.onResize(() => {
        const size = typed.size()
        if (size) shell.resize(size)
      })
      let ending: ReturnType<typeof every> | undefined
      typed.onEnd(() => {
        if (last !== newline) shell.type(Buffer.from([newline]))
        shell.type(endOfInput)
        // A program that does not read when it comes may never see it: whoever reads later is told again.
        ending = every(io.clock, endAgainMs, () => shell.type(endOfInput))
      })
      // Not what is typed: that is the shell's. This comes where no terminal is, or from elsewhere.
      io.onInterrupt(() => leave(shell.end()))
      try {
        return await Promise.race([shell.read(), left])
      } finally {
        ending?.cancel()
      }
    } finally {
      typed.close()
    }
  })
}
