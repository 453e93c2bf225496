import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { pathsIn } from '../../base/paths.ts'
import type { LocalRequest } from '../../schemas/local-requests.ts'
import type { LogRecord } from '../../schemas/log.ts'
import type { WorkloadRun, WorkloadStatus } from '../../schemas/workload-status.ts'
import { eventually } from './eventually.ts'
import { type CliOptions, type CliResult, collect, isAlive, plainEnv } from './installation.ts'

const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))

export interface LoneDeviceOptions {
  env?: Readonly<Record<string, string>>
  /** Runs the daemon under other words, such as faketime. */
  under?: readonly string[]
  mount?: (folder: string) => { close(): void }
  /** It finds this boot id in place of the kernel's, and after `reboot` another. Needs rights to mount. */
  bootId?: string
}

/** A workload as a test writes it: what is left out is a service that always runs. */
export type SomeWorkload = Readonly<Record<string, unknown>> & { name: string }

export type Shown = WorkloadStatus & { runs: WorkloadRun[] }

export interface FoundProcess {
  pid: number
  words: string
  /** The run that it belongs to. */
  run: string | undefined
}

/** The built device, as a process of its own, with no controller anywhere: its people talk to it by its socket and the CLI. */
export const startLoneDevice = async (options: LoneDeviceOptions = {}) => {
  const root = mkdtempSync(join(tmpdir(), 'skein-lone-'))
  const data = join(root, 'data')
  const paths = pathsIn(data).device('local')
  mkdirSync(paths.folder, { recursive: true, mode: 0o700 })
  const disk = options.mount?.(paths.folder)
  const logFile = join(root, 'daemon.log')
  // Whatever was started here has this in its environment, and whatever that has started, too.
  const marker = `SKEIN_TEST_MARK=${root}`
  const env = { ...plainEnv(), SKEIN_DATA: data, SKEIN_LOG_LEVEL: 'info', ...options.env }
  let child: ChildProcess | undefined

  const bootFile = join(root, 'boot_id')
  const setBoot = (id: string): void => writeFileSync(bootFile, `${id}\n`)
  if (options.bootId !== undefined) setBoot(options.bootId)
  // In a mount namespace of its own; each of these words becomes the next, so the daemon has the pid that was spawned.
  const overBoot = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
  const inBoot = options.bootId === undefined ? [] : ['unshare', '-m', 'sh', '-c', overBoot, bootFile]

  const start = (under = options.under ?? []): ChildProcess => {
    const fd = openSync(logFile, 'a')
    const [program = process.execPath, ...args] = [...inBoot, ...under, process.execPath, skein, 'device']
    child = spawn(program, args, { env, stdio: ['ignore', fd, fd] })
    closeSync(fd)
    return child
  }
  const exited = (one: ChildProcess): Promise<number | null> =>
    one.exitCode !== null || one.signalCode !== null
      ? Promise.resolve(one.exitCode)
      : new Promise((resolve) => one.once('exit', (code) => resolve(code)))

  /** One question over the socket; an answer that is a refusal is an error with its code. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  const ask = (command: LocalRequest, input: Readonly<Record<string, unknown>> = {}): Promise<any> =>
    new Promise((resolve, reject) => {
      const socket = connect(paths.socket, () => socket.write(`${JSON.stringify({ command, ...input })}\n`))
      let text = ''
      socket.setEncoding('utf8')
      socket.on('error', reject)
      socket.on('end', () => reject(new Error(`The device hung up on ${command}`)))
      socket.on('data', (part: string) => {
        text += part
        if (!text.includes('\n')) return
        socket.destroy()
        const answer = JSON.parse(text)
        if (answer.ok) resolve(answer.output)
        else reject(Object.assign(new Error(answer.error.message), answer.error))
      })
    })
  const answers = (): Promise<unknown> => eventually('the device answers', () => ask('status'), 20_000)

  const folder = join(root, 'workloads')
  mkdirSync(folder)
  const get = (workload: string, history = 100): Promise<Shown> => ask('get', { workload, history })

  start()
  await answers()

  const processesWhere = (is: (variables: readonly string[], pid: number) => boolean): FoundProcess[] =>
    readdirSync('/proc').flatMap((name) => {
      const pid = Number(name)
      if (!pid || pid === process.pid) return []
      try {
        const variables = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
        if (!is(variables, pid) || !isAlive(pid)) return []
        const run = variables.find((one) => one.startsWith('SKEIN_RUN='))?.slice('SKEIN_RUN='.length)
        return [{ pid, words: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' '), run }]
      } catch {
        return [] // gone meanwhile
      }
    })
  const processes = (): FoundProcess[] => processesWhere((variables, pid) => pid !== child?.pid && variables.includes(marker))
  /** Shims have no environment at all: they are found by the folder that they are in. */
  const everything = (): FoundProcess[] =>
    processesWhere(
      (variables, pid) =>
        variables.includes(marker) ||
        variables.includes(`SKEIN_DATA=${data}`) ||
        readlinkSync(`/proc/${pid}/cwd`).startsWith(root),
    )
  const killAll = (found: () => readonly FoundProcess[]): Promise<unknown> =>
    eventually('all of it is killed', () => {
      const left = found()
      for (const { pid } of left) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // it has just ended
        }
      }
      return left.length === 0
    })

  return {
    root,
    paths,
    folder,
    ask,
    get,
    marker,
    pid: (): number => child?.pid ?? 0,
    daemonLog: (): string => readFileSync(logFile, 'utf8'),
    /** Writes workloads into one file of the folder. */
    write: (workloads: readonly SomeWorkload[], file = 'all.yaml'): string => {
      const path = join(folder, file)
      mkdirSync(dirname(path), { recursive: true })
      const marked = workloads.map((one) => ({
        type: 'service',
        run_mode: 'forever',
        ...one,
        env: { SKEIN_TEST_MARK: root, ...(one['env'] as object | undefined) },
      }))
      writeFileSync(path, stringify({ workloads: marked }))
      return path
    },
    // biome-ignore lint/suspicious/noExplicitAny: a diff, or a refusal
    apply: (): Promise<any> => ask('apply', { paths: [folder] }),
    when: (what: string, workload: string, is: (one: Shown) => boolean, withinMs?: number): Promise<Shown> =>
      eventually(
        `${workload}: ${what}`,
        async () => {
          const one = await get(workload)
          return is(one) ? one : Promise.reject(new Error(JSON.stringify({ ...one, spec: undefined })))
        },
        withinMs,
      ),
    /** All of a workload's log that is kept. */
    records: async (workload: string): Promise<LogRecord[]> => {
      const all: LogRecord[] = []
      for (let after = 0; ; ) {
        const page = await ask('logs', { workload, after, limit: 10_000 })
        all.push(...page.records)
        if (page.records.length === 0) return all
        after = page.next
      }
    },
    /** Processes that were started here, by what they have inherited. */
    processes,
    /** The folders of runs that are not over and forgotten. */
    runFolders: (): string[] => readdirSync(paths.runs).filter((name) => !name.startsWith('.')),
    /** Ends the daemon as nothing can be expected. */
    kill9: async (): Promise<void> => {
      const old = child
      old?.kill('SIGKILL')
      if (old) await exited(old)
    },
    start: async (under?: readonly string[]): Promise<void> => {
      start(under)
      await answers()
    },
    /** Starts the daemon without waiting for it. */
    begin: (): void => void start(),
    answers,
    /** Ends at once all that the device is and runs, as a power cut does. The next daemon finds another boot. */
    powerCut: async (bootId: string): Promise<void> => {
      child?.kill('SIGKILL')
      await killAll(everything)
      setBoot(bootId)
    },
    /** Asks it to end, and says with which code it did. */
    end: async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
      const old = child
      old?.kill(signal)
      return old ? exited(old) : null
    },
    exited: (): Promise<number | null> => (child ? exited(child) : Promise.resolve(null)),
    cli: (args: readonly string[], more: CliOptions = {}): Promise<CliResult> =>
      collect(process.execPath, [skein, ...args], { ...plainEnv(), SKEIN_DATA: data, ...more.env }, more),
    close: async (): Promise<void> => {
      if (child && child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        const timer = setTimeout(() => child?.kill('SIGKILL'), 15_000)
        await exited(child)
        clearTimeout(timer)
      }
      await killAll(everything)
      disk?.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
export type LoneDevice = Awaited<ReturnType<typeof startLoneDevice>>

/** The lines of a file that workloads append to: the witness, which the product has no part in. */
export const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])
