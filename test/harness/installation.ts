import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectAsync, type MqttClient } from 'mqtt'
import { PartMessage } from '../../base/parent.ts'
import { pathsIn } from '../../base/paths.ts'
import { openCommandKeys } from '../../controller/identity/command-keys.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { issueToken } from '../../controller/identity/tokens.ts'
import { bytesOf } from '../../schemas/log.ts'
import type { OutputOf } from '../../schemas/operations.ts'
import { isTaskOver } from '../../schemas/task-states.ts'
import type { Role } from '../../schemas/topics.ts'
import { eventually } from './eventually.ts'

export interface InstallationOptions {
  apart?: boolean
  devices?: number
  env?: Readonly<Record<string, string>>
  /** Puts a file system below the data folder before anything starts; it is closed when all has ended. */
  mount?: (data: string) => { close(): void }
  /** Writes into the data folder before anything starts. */
  prepare?: (data: string) => void
}

export interface CliResult {
  code: number
  stdout: string
  stderr: string
  /** What stands in stdout, byte by byte. */
  bytes: Buffer
}

export interface CliOptions {
  input?: string | Uint8Array
  env?: Readonly<Record<string, string>>
  timeoutMs?: number
}

export interface Answer {
  status: number
  // What an operation answers is the test's to read.
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any
}

export type Part = 'hub' | 'broker' | 'controller' | 'dashboard' | `device ${string}`
export type TaskInFull = OutputOf<'task.get'>
export type LogPage = OutputOf<'task.logs'>

/** A process of this installation, whatever became of its parent. */
export interface FoundProcess {
  pid: number
  title: string
  /** Its working folder, if it still has one. */
  cwd: string
}

const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))
const dist = fileURLToPath(new URL('../../dist', import.meta.url))

/** The built product on a fresh data folder and free ports, as a user starts it. */
export const startInstallation = async (options: InstallationOptions = {}) => {
  const root = await mkdtemp(join(tmpdir(), 'skein-fleet-'))
  const data = join(root, 'data')
  const logFile = join(root, 'log')
  const paths = pathsIn(data)
  const argv = ['up', ...(options.apart ? ['--apart'] : []), '--devices', String(options.devices ?? 1)]
  const env = {
    ...plainEnv(),
    SKEIN_DATA: data,
    SKEIN_MQTT_PORT: '0',
    SKEIN_WS_PORT: '0',
    SKEIN_HTTP_PORT: '0',
    SKEIN_API_PORT: '0',
    SKEIN_HTTPS_PORT: '0',
    SKEIN_API_TLS_PORT: '0',
    ...options.env,
  }
  const mounted = options.mount?.(data)
  options.prepare?.(data)
  const clients: MqttClient[] = []
  const extras: ChildProcess[] = []
  let up: ChildProcess | undefined
  let exited: Promise<number | null> = Promise.resolve(null)

  const log = (): string => readIfThere(logFile) ?? ''
  const tail = (): string => log().split('\n').slice(-30).join('\n')

  /** Starts `skein up` and waits until everything answers. */
  const start = async (): Promise<void> => {
    const fd = openSync(logFile, 'a')
    const child = spawn(process.execPath, [skein, ...argv], { env, stdio: ['ignore', fd, fd] })
    closeSync(fd)
    up = child
    exited = exitOf(child)
    let code: number | null | undefined
    void exited.then((ended) => {
      code = ended
    })
    try {
      await eventually('endpoints.json', () => code !== undefined || readIfThere(paths.endpoints), 40_000)
      if (code !== undefined) throw new Error(`skein up exited with ${code}`)
    } catch (error) {
      throw new Error(`skein up did not start; its log ends with:\n${tail()}`, { cause: error })
    }
  }

  const endpoints = (): { fleet: string; mqtt: string; ws: string; http: string; api: string; pid: number } =>
    JSON.parse(readFileSync(paths.endpoints, 'utf8'))
  const upPid = (): number => up?.pid ?? 0

  /** Processes that have the data folder in their environment or as their working folder. */
  const processes = (): FoundProcess[] =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid)
      .flatMap((pid): FoundProcess[] => {
        const title = titleOf(pid)
        const cwd = linkOf(`/proc/${pid}/cwd`)
        const isOurs = cwd.startsWith(data) || readIfThere(`/proc/${pid}/environ`)?.includes(data)
        return isOurs && !isZombie(pid) ? [{ pid, title, cwd }] : []
      })

  const pidOf = (part: Part): number | undefined =>
    (readIfThere(`/proc/${upPid()}/task/${upPid()}/children`) ?? '')
      .split(' ')
      .map(Number)
      .find((pid) => pid > 0 && titleOf(pid) === `skein ${part}`)

  const api = async (method: 'GET' | 'POST', path: string, body?: unknown, token = adminToken()): Promise<Answer> => {
    const response = await fetch(`${endpoints().api}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    })
    return { status: response.status, body: await response.json() }
  }
  const adminToken = (): string => readFileSync(paths.adminToken, 'utf8').trim()

  /** Asks by REST, again until there is an answer: the parts may be dead at this moment. */
  const answered = (method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> =>
    eventually(`an answer to ${method} ${path}`, async () => {
      const answer = await api(method, path, body)
      return answer.status < 500 && answer
    })

  const task = async (id: string): Promise<TaskInFull> => (await answered('GET', `/tasks/${id}`)).body
  const taskWhen = (what: string, id: string, holds: (task: TaskInFull) => boolean, withinMs = 30_000): Promise<TaskInFull> =>
    eventually(
      what,
      async () => {
        const now = await task(id)
        if (holds(now)) return now
        throw new Error(`task ${id} is ${now.state}, ${JSON.stringify(now.runs.map(({ state, reason }) => [state, reason]))}`)
      },
      withinMs,
    )

  const cli = (args: readonly string[], how: CliOptions = {}): Promise<CliResult> =>
    collect(process.execPath, [skein, ...args], { ...plainEnv(), SKEIN_DATA: data, ...how.env }, how)

  const spawnPart = (
    program: 'device' | 'dashboard',
    env: Readonly<Record<string, string>>,
    channel: 'ipc' | 'ignore' = 'ignore',
  ): ChildProcess => {
    const fd = openSync(logFile, 'a')
    const child = spawn(process.execPath, [join(dist, `${program}.js`)], {
      env: { ...plainEnv(), ...env },
      stdio: ['ignore', fd, fd, channel],
    })
    closeSync(fd)
    extras.push(child)
    return child
  }
  const spawnDevice = (env: Readonly<Record<string, string>>): ChildProcess => spawnPart('device', env)

  const close = async (): Promise<void> => {
    const faults: string[] = []
    for (const client of clients.splice(0)) await client.endAsync(true)
    for (const extra of extras.splice(0)) {
      extra.kill('SIGTERM')
      await withDeadline(exitOf(extra), 20_000)
    }
    if (up && up.exitCode === null && up.signalCode === null) {
      up.kill('SIGTERM')
      const code = await withDeadline(exited, 45_000)
      if (code !== 0) faults.push(`skein up ended with ${code} on SIGTERM`)
    }
    try {
      await eventually('an end of all processes', () => processes().length === 0, 5000)
    } catch {
      const left = processes()
      faults.push(`left alive: ${left.map(({ pid, title }) => `${pid} ${title}`).join('; ')}`)
      for (const { pid } of left) killPid(pid)
    }
    const said = tail()
    mounted?.close()
    await rm(root, { recursive: true, force: true, maxRetries: 5 })
    if (faults.length > 0)
      throw new Error(`The installation did not end in good order: ${faults.join(', ')}; its log ends with:\n${said}`)
  }

  try {
    await start()
  } catch (error) {
    await close().catch(() => undefined) // how it started is the news
    throw error
  }

  return {
    root,
    data,
    paths,
    log,
    endpoints: endpoints(),
    token: adminToken(),
    cli,
    api,
    answered,
    processes,
    pidOf,
    upPid,
    /** How `skein up` ended. */
    exited: () => exited,

    /** Kills a part with SIGKILL; undefined if there was none at this moment. */
    kill: (part: Part): number | undefined => {
      const pid = pidOf(part)
      if (pid !== undefined) killPid(pid)
      return pid
    },
    /** Signals `skein up` itself and waits for its end. */
    endUp: async (signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> => {
      up?.kill(signal)
      return exited
    },
    /** Starts `skein up` again on the same data folder. */
    startAgain: start,

    /** A token of this fleet; unknown to the controller, which matters to nobody but those who ask. */
    tokenFor: async (subject: string, role: Role): Promise<string> =>
      issueToken(openTokenKeys(paths).newest(), {
        subject,
        role,
        fleet: 'default',
        ttlSeconds: 3600,
        now: Date.now(),
        jti: `test-${subject}-${role}`,
        ...(role === 'device' ? { ctl: openCommandKeys(paths).newest().kid } : {}),
      }),

    /** Makes a token of a person known to the controller: it learns those in its data folder when it starts. */
    enter: async (subject: string, token: string): Promise<void> => {
      const { folder, token: tokenFile } = paths.device(subject)
      mkdirSync(folder, { recursive: true })
      await writeFile(tokenFile, token, { mode: 0o600 })
      const pid = pidOf(options.apart ? 'controller' : 'hub')
      if (pid !== undefined) killPid(pid)
      await eventually(
        `the controller knows ${subject}`,
        async () => (await api('GET', '/status', undefined, token)).status === 200,
      )
    },

    mqtt: async (token = adminToken(), url = endpoints().mqtt): Promise<MqttClient> => {
      const client = await connectAsync(url, { username: 'test', password: token, reconnectPeriod: 100, connectTimeout: 5000 })
      client.on('error', () => undefined) // it connects again
      clients.push(client)
      return client
    },

    /** A device beside those of `skein up`, reaching the broker by `url`; it starts again what `restart` is called for. */
    startDevice: async (name: string, url: string, token: string, more: Readonly<Record<string, string>> = {}) => {
      const { folder, token: tokenFile } = paths.device(name)
      mkdirSync(folder, { recursive: true })
      await writeFile(tokenFile, token, { mode: 0o600 })
      return spawnDevice({ SKEIN_DATA: data, SKEIN_NAME: name, SKEIN_URL: url, SKEIN_TOKEN_FILE: tokenFile, ...more })
    },

    /** A device with a data folder of its own, which joins by itself. */
    startJoining: (name: string, joinTokenFile: string) => {
      const own = { SKEIN_DATA: join(data, 'elsewhere', name), SKEIN_JOIN_TOKEN_FILE: joinTokenFile }
      const child = spawnDevice({ ...own, SKEIN_NAME: name, SKEIN_URL: endpoints().mqtt })
      return {
        end: (): Promise<number | null> => {
          child.kill('SIGTERM')
          return exitOf(child)
        },
      }
    },

    /** One more dashboard, with a data folder of its own, as on another machine. Gives the address that it answers at. */
    startDashboard: async (token: string): Promise<string> => {
      const folder = join(data, 'elsewhere', 'dashboard')
      mkdirSync(folder, { recursive: true })
      const tokenFile = join(folder, 'token')
      await writeFile(tokenFile, token, { mode: 0o600 })
      const { mqtt: url, api: apiUrl } = endpoints()
      const where = { SKEIN_URL: url, SKEIN_API_URL: apiUrl, SKEIN_HTTP_PORT: '0', SKEIN_HTTPS_PORT: '0' }
      const child = spawnPart('dashboard', { SKEIN_DATA: folder, SKEIN_TOKEN_FILE: tokenFile, ...where }, 'ipc')
      const [ready] = await once(child, 'message', { signal: AbortSignal.timeout(20_000) })
      return PartMessage.parse(ready).http ?? ''
    },

    submit: async (task: Readonly<Record<string, unknown>>): Promise<string> => {
      const { status, body } = await answered('POST', '/tasks', task)
      if (status !== 201 && status !== 200) throw new Error(`The task was refused: ${JSON.stringify(body)}`)
      return body.task_id
    },
    cancel: (id: string): Promise<Answer> => answered('POST', `/tasks/${id}/cancel`),
    task,
    taskWhen,
    ended: (id: string, withinMs?: number): Promise<TaskInFull> =>
      taskWhen(`the end of task ${id}`, id, (now) => isTaskOver(now.state), withinMs),
    /** Waits until a device is online. */
    online: (device: string, withinMs?: number): Promise<unknown> =>
      eventually(
        `${device} is online`,
        async () => (await answered('GET', `/devices/${device}`)).body.state === 'online',
        withinMs,
      ),
    /** What the controller has of a task's output, and whether that is all. */
    output: async (id: string): Promise<{ o: Buffer; e: Buffer; complete: boolean; records: LogPage['records'] }> => {
      const records: LogPage['records'] = []
      for (let after = 0; ; ) {
        const page: LogPage = (await answered('GET', `/tasks/${id}/logs?limit=10000&after=${after}`)).body
        records.push(...page.records)
        if (page.complete || page.records.length === 0) return { ...streamsOf(records), complete: page.complete, records }
        after = page.next
      }
    },
    /** Shims and programs of runs that are alive; no spare shims. */
    runProcesses: (): FoundProcess[] => processes().filter(({ cwd }) => /\/runs\/(?!\.spare)/.test(cwd)),
    /** What is left of runs in the devices' folders. */
    runFolders: (): string[] =>
      readdirSync(paths.devices).flatMap((device) =>
        (readdirIfThere(paths.device(device).runs) ?? [])
          .filter((name) => !name.startsWith('.') || name.startsWith('.gone'))
          .map((name) => join(device, name)),
      ),
    close,
  }
}
export type Installation = Awaited<ReturnType<typeof startInstallation>>

/** Joins the records of a log to what the program wrote to each stream. */
export const streamsOf = (records: LogPage['records']): { o: Buffer; e: Buffer } => {
  const of = (stream: 'o' | 'e'): Buffer => Buffer.concat(records.filter((record) => record[2] === stream).map(bytesOf))
  return { o: of('o'), e: of('e') }
}

/** Whether a process lives; a zombie does not. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch {
    return false // ESRCH: there is none
  }
}

/** Runs a program to its end, or kills it after a while: then its code is -1. */
export const collect = (
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { input, timeoutMs = 60_000 }: CliOptions = {},
): Promise<CliResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.stdin.on('error', () => undefined) // one that does not read what it is given
    child.stdin.end(input ?? '')
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      const bytes = Buffer.concat(out)
      resolve({ code: code ?? -1, stdout: bytes.toString(), stderr: Buffer.concat(err).toString(), bytes })
    })
  })

/** The environment without anything that is meant for Skein itself. */
export const plainEnv = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name.startsWith('SKEIN_') ? [] : [[name, value] as const],
    ),
  )

const exitOf = (child: ChildProcess): Promise<number | null> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once('exit', (code) => resolve(code)))

const withDeadline = async <T>(wait: Promise<T>, ms: number): Promise<T | 'late'> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms)
  })
  try {
    return await Promise.race([wait, late])
  } finally {
    clearTimeout(timer)
  }
}

const killPid = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // ESRCH: it has ended by itself meanwhile
  }
}

// A title is written over the arguments, and blanks remain behind it.
const titleOf = (pid: number): string => (readIfThere(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim()
const isZombie = (pid: number): boolean => / [ZX] /.test((readIfThere(`/proc/${pid}/stat`) ?? '').replace(/^.*\)/s, ''))

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return '' // it has ended, or is not ours
  }
}

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // not there, or gone while it was read
  }
}

const readdirIfThere = (path: string): string[] | undefined => {
  try {
    return readdirSync(path)
  } catch {
    return undefined // a device that has not started yet
  }
}
