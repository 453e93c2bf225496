import type { RunEnd, RunHandle, Runner, RunWatcher } from '../../device/runner.ts'
import type { Time } from './sim-clock.ts'

/** What a simulated program does: written into the command of its task. */
export interface Program {
  seconds: number
  code: number
  lines: number
  /** It does not care about SIGTERM. */
  stubborn: boolean
}

interface Process {
  run: string
  program: Program
  startedAt: number
  endsAt: number
  status: number | null
  isGone: boolean
  boot: string
  output: Buffer
  /** How much of it a daemon has read. */
  read: number
  watcher: { life: { isDead: boolean }; watcher: RunWatcher } | null
}

/** A machine with its processes: they outlive the daemon, not a reboot. It is the witness: it counts every start itself. */
export const createMachine = (time: Time, name: string) => {
  let boots = 1
  const processes = new Map<string, Process>()
  const claims = new Set<string>()
  /** How often each run was really started, ever. */
  const starts = new Map<string, number>()
  const completions = new Map<string, number>()

  const written = (process: Process): Buffer => {
    const share = process.isGone ? 1 : Math.min(1, (time.now() - process.startedAt) / Math.max(1, process.program.seconds * 1000))
    const lines = Math.floor(share * process.program.lines)
    return process.output.subarray(0, lines * lineLength)
  }

  const end = (process: Process, code: number, isWhole: boolean): void => {
    if (process.isGone) return
    if (!isWhole) process.output = Buffer.from(written(process))
    process.isGone = true
    process.status = code
    if (isWhole) completions.set(process.run, (completions.get(process.run) ?? 0) + 1)
  }

  const runnerFor = (life: { isDead: boolean }): Runner => {
    const watch = (run: string, watcher: RunWatcher, boot: string): RunHandle => {
      const process = processes.get(run)
      let isReleased = false
      let isPaused = false
      let isOver = false
      let isStarted = false
      const pulse = (): void => {
        if (life.isDead || isReleased || isOver) return
        if (process && !isStarted) {
          isStarted = true
          watcher.started(4711)
        }
        if (!isPaused && process) {
          const bytes = written(process).subarray(process.read)
          if (bytes.length > 0) {
            // As with a pipe: what was read is gone.
            process.read += bytes.length
            watcher.output('o', bytes)
          }
        }
        const finding = findingOf(process, boot)
        if (finding && !isPaused) {
          isOver = true
          watcher.ended(finding)
          return
        }
        time.schedule(200, pulse)
      }
      time.schedule(1, pulse)
      let killAt = Number.POSITIVE_INFINITY
      return {
        stop: (graceMs) => {
          if (!process || process.isGone) return
          if (!process.program.stubborn) time.schedule(30, () => end(process, 143, false))
          killAt = Math.min(killAt, time.now() + graceMs)
          // The daemon kills; a dead one does not.
          time.schedule(graceMs, () => {
            if (!life.isDead && !isReleased && time.now() >= killAt) end(process, 137, false)
          })
        },
        pause: () => {
          isPaused = true
        },
        resume: () => {
          isPaused = false
        },
        release: () => {
          isReleased = true
        },
        usage: () => null,
      }
    }

    const findingOf = (process: Process | undefined, boot: string): RunEnd | undefined => {
      if (!process) return { kind: 'not_started', code: 125, reason: 'never_started' }
      if (!process.isGone) return undefined
      if (process.status !== null) return { kind: 'exited', code: process.status }
      return { kind: 'unknown', reason: boot === `${name}-boot-${boots}` ? 'exit_unknown' : 'device_rebooted' }
    }

    return {
      start: (order, watcher) => {
        if (!claims.has(order.run)) {
          claims.add(order.run)
          starts.set(order.run, (starts.get(order.run) ?? 0) + 1)
          const program = readProgram(order.payload.command)
          const process: Process = {
            run: order.run,
            program,
            startedAt: time.now(),
            endsAt: time.now() + program.seconds * 1000,
            status: null,
            isGone: false,
            boot: `${name}-boot-${boots}`,
            output: outputOf(order.run, program),
            watcher: null,
            read: 0,
          }
          processes.set(order.run, process)
          time.schedule(program.seconds * 1000, () => end(process, program.code, true))
        }
        return watch(order.run, watcher, processes.get(order.run)?.boot ?? '')
      },
      adopt: (order, watcher) => {
        claims.add(order.run)
        return watch(order.run, watcher, order.boot)
      },
      forget: (run) => {
        processes.delete(run)
      },
      leftovers: () => [...processes.keys()],
      lacks: () => undefined,
    }
  }

  return {
    starts,
    completions,
    runnerFor,
    boot: (): string => `${name}-boot-${boots}`,
    /** Everything that runs is gone, and nobody wrote down how. */
    reboot: (): void => {
      boots++
      for (const process of processes.values()) {
        if (process.isGone) continue
        process.output = Buffer.from(written(process))
        process.isGone = true
      }
    },
    alive: (): string[] => [...processes.values()].filter((process) => !process.isGone).map((process) => process.run),
  }
}
export type Machine = ReturnType<typeof createMachine>

const lineLength = 48
export const outputOf = (run: string, program: Program): Buffer => {
  let text = ''
  for (let i = 1; i <= program.lines; i++) text += `${`${run} line ${i}`.slice(0, lineLength - 1).padEnd(lineLength - 1, '.')}\n`
  return Buffer.from(text)
}

export const commandOf = (program: Program): string[] => ['program', JSON.stringify(program)]
const readProgram = (command: string | string[] | undefined): Program =>
  JSON.parse(Array.isArray(command) ? (command[1] ?? '') : '') as Program // written by commandOf
