import { spawn } from 'node:child_process'
import { type Clock, sleep, type Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'

/** What systemd is told of this daemon; nothing, where it is not systemd that has started it. */
export interface Notify {
  /** A line for `systemctl status`. */
  status(text: string): void
  ready(text: string): void
  /** It ends what it runs: that may take its grace. */
  stopping(): void
  /** Waits for what is on its way, a moment at most, and sends no more. */
  close(): Promise<void>
}

export interface NotifyDeps {
  env: Readonly<Record<string, string | undefined>>
  pid: number
  clock: Clock
  log: Log
  /** Sends assignments such as READY=1; resolves when the service manager has taken them. */
  send?: (assignments: readonly string[]) => Promise<void>
}

/** What the service manager sets, and programs that the daemon starts must not see. */
export const notifyVariables = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const

const quiet: Notify = { status: () => {}, ready: () => {}, stopping: () => {}, close: () => Promise.resolve() }

const extendEveryMs = 20_000
const extendByMs = 60_000
/** The longest grace that there is, and a bit for the rest: who takes longer hangs. */
const longestStopMs = 3_660_000
const farewellMs = 2000

/**
 * Tells systemd how far the daemon is, and from the event loop that it still turns. One message at a time, so that none overtakes
 * another; what comes meanwhile goes together in the next.
 */
export const startNotify = ({ env, pid, clock, log, send = sender(env, pid) }: NotifyDeps): Notify => {
  if (!env['NOTIFY_SOCKET']) return quiet
  const pending = new Map<string, string>()
  let sending: Promise<void> | undefined
  let ticking: Timer | undefined
  let isClosed = false
  let hasFailed = false

  const tell = (...assignments: readonly (readonly [string, string])[]): void => {
    for (const [name, value] of assignments) pending.set(name, value)
    if (!isClosed) sending ??= flush()
  }
  const flush = async (): Promise<void> => {
    while (pending.size > 0 && !isClosed) {
      const assignments = [...pending].map(([name, value]) => `${name}=${value}`)
      pending.clear()
      try {
        await send(assignments)
      } catch (error) {
        // The watchdog will tell, if nothing goes through at all.
        if (!hasFailed) log.warn({ err: error }, 'systemd cannot be told how the daemon is')
        hasFailed = true
      }
    }
    sending = undefined
  }
  const tick = (ms: number, call: () => void): void => {
    ticking?.cancel()
    const again = (): void => {
      ticking = clock.after(ms, again)
      call()
    }
    ticking = clock.after(ms, again)
  }

  return {
    status: (text) => tell(['STATUS', oneLine(text)]),
    ready: (text) => {
      tell(['READY', '1'], ['STATUS', oneLine(text)])
      const watchdogMs = Number(env['WATCHDOG_USEC'] ?? 0) / 1000
      const isOurs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(pid)
      // Three in each interval, so that one may be late.
      if (watchdogMs > 0 && isOurs) tick(Math.max(watchdogMs / 3, 100), () => tell(['WATCHDOG', '1']))
    },
    stopping: () => {
      const from = clock.mono()
      const extend = ['EXTEND_TIMEOUT_USEC', String(extendByMs * 1000)] as const
      tell(['STOPPING', '1'], ['STATUS', 'ends what it runs'], extend)
      tick(extendEveryMs, () => {
        if (clock.mono() - from < longestStopMs) tell(extend)
      })
    },
    close: async () => {
      isClosed = true
      ticking?.cancel()
      // One that came late would be taken for a word of the next daemon.
      if (sending) await Promise.race([sending, sleep(clock, farewellMs)])
    },
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ')

/** By systemd-notify(1), as Node has no datagrams on Unix sockets. It speaks for the daemon, and waits until it was heard. */
const sender =
  (env: NotifyDeps['env'], pid: number) =>
  (assignments: readonly string[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn('systemd-notify', [`--pid=${pid}`, ...assignments], {
        env: { PATH: env['PATH'] ?? '/usr/bin:/bin', NOTIFY_SOCKET: env['NOTIFY_SOCKET'] },
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: 10_000,
      })
      let said = ''
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString()
      })
      child.once('error', reject)
      child.once('close', (code, signal) =>
        code === 0 ? resolve() : reject(new Error(`systemd-notify ended with ${code ?? signal}: ${said.trim()}`)),
      )
    })
