import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { Readable } from 'node:stream'
import { type Clock, sleep, type Timer } from '../../../base/clock.ts'
import { quote } from '../../runners/command-line.ts'
import { openProcessView } from '../../runners/confinement/process-view.ts'
import { type Identity, type ProcessStat, send, statOf } from '../../runners/process-table.ts'

export interface TerminalOrder {
  /** A name that all of its processes carry in their environment, as SKEIN_RUN. */
  mark: string
  /** What runs in it. */
  words: readonly string[]
  /** Words in front of it that make it another user's. */
  as: readonly string[]
  env: Readonly<Record<string, string>>
  cwd: string
  /** Undefined where nobody looks at it: then it does not echo what it is given either. */
  size: TerminalSize | undefined
}
export interface TerminalSize {
  rows: number
  columns: number
}
export interface TerminalWatcher {
  output(bytes: Buffer): void
  /** Nothing of it is left. Called once, last. */
  ended(code: number): void
}
export interface ShellTerminal {
  write(bytes: Buffer): void
  resize(size: TerminalSize): void
  /** SIGHUP to all of it, SIGKILL two seconds later. `ended` follows. */
  hangUp(): void
  /** SIGKILL at once, with nobody to wait for it. */
  kill(): void
}

const graceMs = 2000
const lookMs = 50
/** A flood must not take the daemon's time: of so much at most in so long is read. */
const mostPerPause = 256 * 1024
const pauseMs = 50

/**
 * Runs something in a terminal of its own. Node has none to give, so script(1) does: it opens a pseudo-terminal, leads a session in it and
 * passes on how that ends. Beside it waits a ward, which ends what is there when the daemon cannot any more.
 */
export const openTerminal = (order: TerminalOrder, clock: Clock, watcher: TerminalWatcher): ShellTerminal => {
  const env = { ...order.env, SKEIN_RUN: order.mark }
  const [program = '', ...args] = [...order.as, scriptPath() ?? 'script', '-qfec', commandOf(order), '/dev/null']
  // script starts its command by the shell that SHELL names; the one that is meant is set behind that.
  const child = spawn(program, args, {
    ...{ cwd: order.cwd, env: { ...env, SHELL: '/bin/sh' }, detached: true },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  })
  const ward = spawn('/bin/sh', ['-c', wardText, 'sh', order.mark], {
    ...{ stdio: ['pipe', 'ignore', 'ignore'], env: { PATH: order.env['PATH'] ?? '/usr/bin:/bin' }, detached: true },
  })
  const view = openProcessView(clock.mono)
  let leader: Identity | null = null
  let tty: string | null = null
  let hasEnded = false
  let isHangingUp = false
  let readInPause = 0
  let pause: Timer | undefined

  for (const stream of [child.stdin, ward.stdin]) stream?.on('error', () => undefined) // EPIPE: it has ended, which is told by its end
  ward.on('error', () => undefined) // without it only the death of the daemon would leave something behind
  const told = child.stdio[3]
  if (told instanceof Readable) {
    let text = ''
    told.on('error', () => undefined) // the end of the child says it all
    told.on('data', (part: Buffer) => {
      text += part.toString()
      const [, pid, path] = /^(\d+) (\/dev\/\S+)\n/.exec(text) ?? []
      if (pid === undefined || path === undefined) return
      leader = statOf(Number(pid)) ?? null
      tty = path
    })
  }

  const take = (part: Buffer): void => {
    watcher.output(part)
    readInPause += part.length
    if (readInPause < mostPerPause || pause) return
    child.stdout?.pause()
    pause = clock.after(pauseMs, () => {
      pause = undefined
      readInPause = 0
      child.stdout?.resume()
    })
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)

  const living = (): ProcessStat[] => {
    return view.ofRun(leader, order.mark).filter((one) => one.pid !== child.pid)
  }
  const signal = (name: NodeJS.Signals): void => {
    for (const { pid } of living()) send(pid, name)
  }

  /** Whatever is left ends; resolves when nothing is. */
  const sweep = async (): Promise<void> => {
    const until = clock.mono() + graceMs
    signal('SIGHUP')
    // One that is stopped hears of it only when it goes on.
    signal('SIGCONT')
    while (living().length > 0 && clock.mono() < until) await sleep(clock, lookMs)
    for (let round = 0; round < 20 && living().length > 0; round++) {
      signal('SIGKILL')
      await sleep(clock, lookMs)
    }
  }

  const end = async (code: number): Promise<void> => {
    if (hasEnded) return
    hasEnded = true
    pause?.cancel()
    child.stdout?.resume()
    await sweep()
    ward.kill('SIGKILL')
    watcher.ended(code)
  }
  child.once('error', (error) => {
    watcher.output(Buffer.from(`cannot open a terminal: ${error.message}\r\n`))
    void end(127)
  })
  void exitOf(child).then(async (code) => {
    told?.destroy()
    // What it wrote last may still be in the pipe, and something that it left may hold that open.
    await Promise.race([once(child, 'close'), sleep(clock, 500)])
    await end(code)
  })

  return {
    write: (bytes) => {
      if (!hasEnded) child.stdin?.write(bytes)
    },
    resize: ({ rows, columns }) => {
      if (tty === null || hasEnded) return
      const stty = spawn('stty', ['-F', tty, 'rows', String(rows), 'cols', String(columns)], { stdio: 'ignore' })
      stty.on('error', () => undefined) // it keeps the size that it has
    },
    hangUp: () => {
      if (isHangingUp || hasEnded) return
      isHangingUp = true
      // When all of its session has gone, script ends by itself.
      void sweep().then(() => child.kill('SIGKILL'))
    },
    kill: () => {
      if (hasEnded) return
      signal('SIGKILL')
      child.kill('SIGKILL')
    },
  }
}

/** Where script(1) is; undefined where it is not. */
export const scriptPath = (): string | undefined => ['/usr/bin/script', '/bin/script', '/usr/local/bin/script'].find(existsSync)

/** Becomes the program, in the terminal: first it says by which process and terminal it can be found. */
const commandOf = ({ words, env, size }: TerminalOrder): string =>
  [
    'echo "$$ $(tty)" >&3',
    'exec 3>&-',
    size ? `stty rows ${size.rows} cols ${size.columns}` : 'stty -echo',
    ...(env['SHELL'] === undefined ? ['unset SHELL'] : [`SHELL=${quote(env['SHELL'])}`, 'export SHELL']),
    `exec ${words.map(quote).join(' ')}`,
  ].join('\n')

/** Waits until the daemon is gone, and ends all that carries the mark. */
const wardText = `read -r word
for signal in HUP CONT KILL; do
  for file in $(grep -slzxF "SKEIN_RUN=$1" /proc/[0-9]*/environ); do
    file=\${file#/proc/}
    kill -$signal "\${file%/environ}"
  done
  [ $signal = HUP ] || sleep 1
done`

const exitOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 129)) // by a signal: it was hung up
  })
