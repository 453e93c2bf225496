import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectAsync, type MqttClient } from 'mqtt'
import { passwordFor } from '../../base/login.ts'
import { pathsIn } from '../../base/paths.ts'
import { openCommandKeys } from '../../controller/identity/command-keys.ts'
import { issueLocalTokens } from '../../controller/identity/local-tokens.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import type { BrokerProcess } from './broker-process.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { type CliResult, collect, plainEnv } from './installation.ts'

const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))

export interface ForeignFleetOptions {
  kind: 'mosquitto' | 'nats' | 'rabbitmq'
  /** Starts the broker with what broker-config has written into the folder. */
  start: (folder: string, port: number) => Promise<BrokerProcess>
  /** Makes the running broker take up users that were written since. */
  reload: (broker: BrokerProcess) => Promise<void>
  devices: readonly string[]
}

/** Controller and devices as a user starts them on a broker of somebody else, set up by what `skein broker-config` writes. */
export const startForeignFleet = async ({ kind, start, reload, devices }: ForeignFleetOptions) => {
  const root = await mkdtemp(join(tmpdir(), 'skein-foreign-'))
  const data = join(root, 'data')
  const folder = join(root, kind)
  const logFile = join(root, 'log')
  const paths = pathsIn(data)
  const port = await freePort()
  const url = `mqtt://127.0.0.1:${port}`
  const env = { ...plainEnv(), SKEIN_DATA: data, SKEIN_URL: url, SKEIN_LOGIN: 'digest' }
  const children: ChildProcess[] = []
  let broker: BrokerProcess | undefined

  const cli = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
    collect(process.execPath, [skein, ...args], { ...env, ...more })
  const part = (args: readonly string[]): ChildProcess => {
    const fd = openSync(logFile, 'a')
    const child = spawn(process.execPath, [skein, ...args], { env, stdio: ['ignore', fd, fd] })
    closeSync(fd)
    children.push(child)
    return child
  }
  const writeConfig = async (): Promise<void> => {
    const { code, stdout, stderr } = await cli(['broker-config', kind, '--out', folder, '--listen', `127.0.0.1:${port}`])
    if (code !== 0) throw new Error(`broker-config exited with ${code}: ${stdout}${stderr}`)
  }
  const close = async (): Promise<void> => {
    for (const child of [...children].reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await exit
      clearTimeout(late)
    }
    await broker?.close()
    await rm(root, { recursive: true, force: true, maxRetries: 5 })
  }
  const addDevice = async (name: string): Promise<void> => {
    mkdirSync(paths.devices, { recursive: true, mode: 0o700 })
    const keys = openTokenKeys(paths)
    await issueLocalTokens({
      paths,
      keys,
      fleet: 'default',
      ctl: openCommandKeys(paths).newest().kid,
      devices: [name],
      now: Date.now(),
    })
  }
  const startDevice = (name: string): ChildProcess => part(['device', '--name', name, '--log-level', 'warn'])
  const token = (subject: string): string =>
    readFileSync(subject === 'admin' ? paths.adminToken : paths.device(subject).token, 'utf8').trim()
  const online = (device: string): Promise<unknown> =>
    eventually(
      `${device} is online`,
      async () => JSON.parse((await cli(['device', 'get', device, '--json'])).stdout).state === 'online',
      40_000,
    )

  try {
    for (const name of devices) await addDevice(name)
    await writeConfig()
    broker = await start(folder, port)
    part(['controller', '--api-port', '0', '--heartbeat-seconds', '2', '--log-level', 'warn'])
    for (const name of devices) startDevice(name)
    for (const name of devices) await online(name)
  } catch (error) {
    const said = readFileSync(logFile, { encoding: 'utf8', flag: 'a+' }).slice(-3000)
    await close()
    throw new Error(`The fleet on ${kind} did not start: ${said}`, { cause: error })
  }

  return {
    root,
    data,
    folder,
    url,
    paths,
    env,
    broker,
    cli,
    online,
    /** Lets in whom broker-config finds now. */
    letIn: async (): Promise<void> => {
      await writeConfig()
      if (broker) await reload(broker)
    },
    addDevice,
    startDevice,
    token,
    log: () => readFileSync(logFile, 'utf8'),
    /** A plain MQTT client of a subject. */
    mqtt: (subject: string, how: { password?: string; clientId?: string } = {}): Promise<MqttClient> =>
      connectAsync(url, {
        username: subject,
        password: how.password ?? passwordFor('digest', token(subject)),
        clientId: how.clientId ?? `test-${subject}-${process.pid}-${Math.round(performance.now())}`,
        reconnectPeriod: 0,
        connectTimeout: 5000,
      }),
    close,
  }
}
export type ForeignFleet = Awaited<ReturnType<typeof startForeignFleet>>
