import type { Chance } from '../../../base/chance.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import { accepted, type Outcome, refused } from '../../../schemas/errors.ts'
import { type ShellAnswer, type ShellQuestion, shellLimits } from '../../../schemas/workload-shell.ts'
import { createShellOutput, type ShellOutput } from './output.ts'
import type { ShellTerminal, TerminalOrder, TerminalWatcher } from './terminal.ts'

/** What is to run in the terminal of a workload; or why nothing can. */
export type ShellPlan = Outcome<Omit<TerminalOrder, 'mark' | 'size'>>

export interface ShellsDeps {
  /** Whether this device lets anybody in. */
  isOn: boolean
  plan: (workload: string, term: string) => Promise<ShellPlan>
  open: (order: TerminalOrder, watcher: TerminalWatcher) => ShellTerminal
  clock: Clock
  chance: Chance
  log: Log
}

interface Session {
  id: string
  by: string
  workload: string
  terminal: ShellTerminal
  output: ShellOutput
  exitCode: number | null
  idle: Timer | undefined
  /** Those who wait for something new. */
  waiting: Set<() => void>
}

/** Those that have ended are kept for so long, for who has not read the end of them. */
const endedForMs = 60_000
const endWithinMs = 5000

/** The shells that are open on this device for people elsewhere: each belongs to who opened it, and all end with the daemon. */
export const createShells = (deps: ShellsDeps) => {
  const { clock, log } = deps
  const sessions = new Map<string, Session>()
  /** Begun, but not in `sessions` yet. */
  let opening = 0
  let isClosed = false

  const about = ({ id, workload, by }: Session) => ({ session: id, workload, by })
  const wake = (session: Session): void => {
    for (const call of [...session.waiting]) call()
  }
  const forget = (session: Session): void => {
    session.idle?.cancel()
    sessions.delete(session.id)
  }
  const touch = (session: Session): void => {
    session.idle?.cancel()
    if (session.exitCode !== null) {
      session.idle = clock.after(endedForMs, () => forget(session))
      return
    }
    session.idle = clock.after(shellLimits.idleMs, () => {
      log.info(about(session), 'nobody asks for this shell any more')
      session.terminal.hangUp()
    })
  }

  const running = (): number => opening + [...sessions.values()].filter((one) => one.exitCode === null).length

  const begin = async ({ workload, by, rows, columns, term }: ShellQuestion): Promise<Session | Outcome<never>> => {
    if (running() >= shellLimits.sessions) {
      const message = `this device has ${shellLimits.sessions} shells open already`
      return refused('conflict', message, [{ field: 'session', code: 'too_many_shells', message }])
    }
    opening++
    try {
      const plan = await deps.plan(workload, term)
      if (!plan.ok) return plan
      if (isClosed) return ending
      const id = deps.chance.ulid(clock.now())
      const output = createShellOutput(shellLimits.keepBytes)
      const size = rows === undefined || columns === undefined ? undefined : { rows, columns }
      const watcher: TerminalWatcher = {
        output: (bytes) => {
          output.add(bytes)
          wake(session)
        },
        ended: (code) => {
          session.exitCode = code
          log.info({ ...about(session), code }, 'a shell for somebody elsewhere has ended')
          touch(session)
          wake(session)
        },
      }
      const session: Session = {
        ...{ id, by, workload, output, exitCode: null, idle: undefined, waiting: new Set() },
        terminal: deps.open({ ...plan.output, mark: id, size }, watcher),
      }
      sessions.set(id, session)
      log.info(about(session), 'a shell is open for somebody elsewhere')
      return session
    } finally {
      opening--
    }
  }

  const find = ({ session: id = '', by, workload }: ShellQuestion): Session | Outcome<never> => {
    const session = sessions.get(id)
    const fault = (code: 'not_found' | 'forbidden', message: string) =>
      refused(code, message, [{ field: 'session', code, message }])
    if (session?.workload !== workload || !session)
      return fault(
        'not_found',
        `there is no shell "${id}" of "${workload}" here any more: it has ended, or the device's daemon has`,
      )
    return session.by === by ? session : fault('forbidden', `shell "${id}" is not yours: it belongs to who opened it`)
  }

  /** Resolves when a claim holds, or after a while. */
  const until = (session: Session, holds: () => boolean, withinMs: number): Promise<void> =>
    holds() || withinMs === 0
      ? Promise.resolve()
      : new Promise((resolve) => {
          const done = (): void => {
            timer.cancel()
            session.waiting.delete(look)
            resolve()
          }
          const look = (): void => {
            if (holds() || isClosed) done()
          }
          const timer = clock.after(withinMs, done)
          session.waiting.add(look)
        })

  const ask = async (question: ShellQuestion): Promise<Outcome<ShellAnswer>> => {
    if (!deps.isOn) return off
    if (isClosed) return ending
    const session = question.session === undefined ? await begin(question) : find(question)
    if ('ok' in session) return session
    touch(session)
    // In the order in which they come: nothing waits before this.
    if (question.write !== undefined) session.terminal.write(Buffer.from(question.write, 'base64'))
    const { rows, columns } = question
    if (question.session !== undefined && rows !== undefined && columns !== undefined) session.terminal.resize({ rows, columns })
    const hasEnded = (): boolean => session.exitCode !== null
    if (question.end) {
      session.terminal.hangUp()
      await until(session, hasEnded, endWithinMs)
    } else {
      await until(session, () => hasEnded() || session.output.total() > question.after, question.wait_seconds * 1000)
    }
    const { bytes, next } = session.output.after(question.after, shellLimits.outputBytes)
    const isAll = hasEnded() && next === session.output.total()
    if (question.end && hasEnded()) forget(session)
    const exit = isAll ? session.exitCode : null
    return accepted({ session: session.id, output: bytes.toString('base64'), next, has_ended: isAll, exit_code: exit })
  }

  return {
    ask,
    /** Ends all of them; resolves when nothing of them is left. */
    close: async (): Promise<void> => {
      isClosed = true
      const open = [...sessions.values()].filter((one) => one.exitCode === null)
      for (const session of open) session.terminal.hangUp()
      await Promise.all(open.map((one) => until(one, () => one.exitCode !== null, endWithinMs)))
      for (const session of [...sessions.values()]) {
        wake(session)
        forget(session)
      }
    },
    /** The daemon goes, and waits for nobody. */
    kill: (): void => {
      isClosed = true
      for (const session of [...sessions.values()]) {
        if (session.exitCode === null) session.terminal.kill()
        wake(session)
        forget(session)
      }
    },
  }
}
export type Shells = ReturnType<typeof createShells>

const offMessage =
  'this device lets nobody open a shell from elsewhere; its setting remote_shell (SKEIN_REMOTE_SHELL=true) turns that on'
const off = refused('forbidden', offMessage, [{ field: 'device', code: 'remote_shell_off', message: offMessage }])
const ending = refused('unavailable', 'the daemon of this device ends', [
  { field: 'device', code: 'ending', message: 'its daemon ends' },
])
