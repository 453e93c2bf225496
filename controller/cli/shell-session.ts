import { sleep } from '../../base/clock.ts'
import type { Outcome } from '../../schemas/errors.ts'
import type { OutputOf } from '../../schemas/operations.ts'
import { type ShellInput, shellLimits } from '../../schemas/workload-shell.ts'
import type { Client } from './client.ts'
import { CliFailure, exitCodes, refusalFailure } from './exit.ts'
import type { Io } from './io.ts'
import { plain } from './table.ts'
import { taken } from './with-client.ts'

interface Deps {
  client: Client
  io: Pick<Io, 'clock' | 'chance' | 'out' | 'err'>
  device: string
  workload: string
  answerSeconds: number
}
type Step = Partial<Omit<ShellInput, 'workload'>>
type Answer = OutputOf<'workload.shell'>

/** How long a question waits for something new. */
export const pollSeconds = 5
const againMs = 1000
/** Where only what is written is of interest, not what comes back: that is read beside. */
const nothing = Number.MAX_SAFE_INTEGER

/** A shell on a device, step by step: what is typed goes out in order and once, what it writes comes in beside. */
export const openShellSession = async (deps: Deps, first: Step) => {
  const { client, io, device, workload } = deps

  /** With a key it is done once, however often it is asked for; what is only read may be read twice. */
  const inputOf = (step: Step) => ({
    ...{ device, workload, timeout_seconds: deps.answerSeconds, ...step },
    ...(step.session === undefined || step.write !== undefined || step.end
      ? { idempotency_key: `cli-${io.chance.ulid(io.clock.now())}` }
      : {}),
  })
  const ask = (step: Step): Promise<Outcome<Answer>> => client.ask('workload.shell', inputOf(step))

  let said: string | null = null
  /** Until there is an answer: the shell goes on while nobody is reached, for as long as it lasts without a question. */
  const insist = async (step: Step): Promise<Answer> => {
    const input = inputOf(step)
    const until = io.clock.mono() + shellLimits.idleMs
    for (;;) {
      const why = await client.ask('workload.shell', input).then(
        (outcome) => {
          if (outcome.ok) {
            if (said !== null) io.err(`skein: device "${device}" answers again\r\n`)
            said = null
            return outcome.output
          }
          if (outcome.error.code !== 'unavailable') throw refusalFailure(outcome.error)
          return outcome.error.message
        },
        (error: unknown) => {
          if (error instanceof CliFailure && error.exitCode === exitCodes.unreachable) return error.message
          throw error
        },
      )
      if (typeof why !== 'string') return why
      if (io.clock.mono() > until) throw new CliFailure(exitCodes.unreachable, 'unreachable', why)
      if (said === null) io.err(`skein: ${plain(why)}; waiting for it\r\n`)
      said = why
      await sleep(io.clock, againMs)
    }
  }

  const { session } = taken(await ask({ ...first, after: nothing }))
  let gathered = Buffer.alloc(0)
  let size: { rows: number; columns: number } | undefined
  let isWriting = false
  let fail: (error: unknown) => void = () => undefined

  /** One after the other; what is typed meanwhile goes together. */
  const send = async (): Promise<void> => {
    if (isWriting) return
    isWriting = true
    try {
      while (gathered.length > 0 || size) {
        const part = gathered.subarray(0, shellLimits.writeBytes)
        gathered = gathered.subarray(part.length)
        const shape = size ?? {}
        size = undefined
        await insist({ session, write: part.toString('base64'), after: nothing, ...shape })
      }
    } finally {
      isWriting = false
    }
  }

  return {
    session,
    type: (bytes: Uint8Array): void => {
      gathered = Buffer.concat([gathered, bytes])
      send().catch((error: unknown) => fail(error))
    },
    resize: (to: { rows: number; columns: number }): void => {
      size = to
      send().catch((error: unknown) => fail(error))
    },
    /** Gives what it writes, until it has ended; with which code. */
    read: (): Promise<number> =>
      new Promise((resolve, reject) => {
        let hasEnded = false
        // What is typed into one that has just ended is refused, and that is no fault.
        fail = (error) => setTimeout(() => (hasEnded ? undefined : reject(error)), againMs)
        const follow = async (): Promise<number> => {
          for (let after = 0; ; ) {
            const { output, next, has_ended, exit_code } = await insist({ session, after, wait_seconds: pollSeconds })
            const bytes = Buffer.from(output, 'base64')
            const missing = next - bytes.length - after
            if (missing > 0) io.err(`\r\nskein: ${missing} bytes are missing here: the device does not keep them any more\r\n`)
            if (bytes.length > 0) io.out(bytes)
            after = next
            if (!has_ended) continue
            hasEnded = true
            return exit_code ?? exitCodes.skein
          }
        }
        follow().then(resolve, reject)
      }),
    /** Hangs it up. */
    end: async (): Promise<number> => taken(await ask({ session, end: true, after: nothing })).exit_code ?? exitCodes.interrupted,
  }
}
