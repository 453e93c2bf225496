import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { sleep, systemClock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { passwordFor } from '../base/login.ts'
import { tellParent } from '../base/parent.ts'
import { ConfigFault, runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { noPlugins, type Plugins } from '../base/plugins/plugins.ts'
import type { Config } from '../base/settings.ts'
import { version } from '../base/version.ts'
import { startDevice } from './device.ts'
import { nameOfHost } from './host-name.ts'
import { JoinFailure, joinFleet } from './joining.ts'
import { readMembership } from './membership.ts'
import { type Notify, notifyVariables, startNotify } from './service/notify.ts'
import { serviceVerbs } from './service/order.ts'
import { readyText } from './service/systemd.ts'

// Young objects get no more room than at the start: with 100 services that is 11 MB less, and 29 after 100 of them have crashed.
setFlagsFromString('--semi-space-growth-factor=1')

/** The package that this program is of. */
const ownFolder = dirname(dirname(fileURLToPath(import.meta.url)))
const verb = serviceVerbs.find((one) => one === process.argv[2])

/** The root of a device's daemon; with `join`, of its joining; with `install` and its like, of its service. */
if (process.argv[2] === 'join') {
  process.argv.splice(2, 1)
  void import('./join.ts').then((one) => one.runJoin())
} else if (verb !== undefined) {
  void import('./service/run.ts').then((one) => one.runService(verb, process.argv.slice(3), ownFolder))
} else {
  void runPart('device', async (config, log, end) => {
    const notify = startNotify({ env: { ...process.env }, pid: process.pid, clock: systemClock, log })
    for (const name of notifyVariables) delete process.env[name]
    // Programs run in folders of their own, from which a relative path leads elsewhere.
    const all = pathsIn(resolve(config.data))
    const joins = config.join_token !== undefined || config.join_token_file !== undefined
    const known = readMembership(all.membership)
    const name = config.name ?? known?.device ?? (joins ? nameOfHost() : 'local')
    process.title = `skein device ${name}`
    const paths = all.device(name)
    const tokenFile = config.token_file ?? paths.token
    if (joins && config.token === undefined && !existsSync(tokenFile)) await joinFirst(config, name, log, notify)
    const membership = readMembership(all.membership)
    const own = membership?.device === name ? membership : undefined
    const hasToken = config.token !== undefined || existsSync(tokenFile)
    // Of no fleet yet, and not told of any: it looks after its own workloads.
    const isAlone = !hasToken && config.url === undefined && config.token_file === undefined
    if (!hasToken && !isAlone) {
      throw new ConfigFault(
        'token_file',
        `there is no ${tokenFile}; join with "skein device join", or give a token with --token or --token-file`,
      )
    }
    if (isAlone) log.info({ device: name }, 'it is of no fleet, and keeps its own workloads; join one with: skein device join')
    const token = (): string => (isAlone ? '' : (config.token ?? readFileSync(tokenFile, 'utf8').trim()))
    const plugins = await pluginsIn(config.plugins)
    const device = await startHere({
      name,
      fleet: own?.fleet ?? config.fleet,
      folder: paths.folder,
      data: all.data,
      url: isAlone ? undefined : (config.url ?? own?.url ?? 'mqtt://127.0.0.1:1883'),
      password: () => passwordFor(config.login, token()),
      token,
      // A broker with users of its own would have to be told of a new one first.
      tokenFile: !isAlone && config.token === undefined && config.login === 'token' ? tokenFile : undefined,
      ca: caOf(config.tls_ca ?? (existsSync(paths.ca) ? paths.ca : undefined)),
      controllerKey: config.controller_key,
      labels: config.labels,
      capacity: config.capacity,
      spoolMb: config.spool_mb,
      logMb: config.log_mb,
      plugins,
      metricsPort: config.metrics_port,
      remoteShell: config.remote_shell,
      env: process.env,
      log,
      broken: () => process.exit(1),
      endForGood: () => end('requested'),
    })
    log.info({ device: name, data: config.data, version }, 'device is up')
    tellParent({ kind: 'ready' })
    notify.ready(readyText(name, version, ownFolder))
    return {
      close: async (why) => {
        // Asked to end, it ends what it runs. An orphan, or one that is replaced, only goes: whoever comes next adopts its runs.
        const isForAll = why === 'asked' || why === 'requested'
        if (isForAll) notify.stopping()
        await (isForAll ? device.shutdown() : device.leave())
        await notify.close()
      },
      hurry: device.hurry,
    }
  })
}

async function pluginsIn(folder: string | undefined): Promise<Plugins> {
  if (folder === undefined) return noPlugins
  const { loadPlugins } = await import('../base/plugins/load.ts')
  return loadPlugins(folder)
}

/** Starts the device, unless it runs already: its journal belongs to one daemon at a time. */
async function startHere(options: Parameters<typeof startDevice>[0]): ReturnType<typeof startDevice> {
  try {
    return await startDevice(options)
  } catch (error) {
    if (!(error instanceof Error && error.message.endsWith('another process has it'))) throw error
    throw new ConfigFault('data', `device "${options.name}" of ${options.data} runs already; only one daemon can`)
  }
}

/** Joins before anything else; where nobody answers yet, as when all containers start at once, it goes on trying. */
async function joinFirst(config: Config<'device'>, name: string, log: Log, notify: Notify): Promise<void> {
  const url = config.url ?? 'mqtt://127.0.0.1:1883'
  for (;;) {
    try {
      const token = config.join_token ?? joinTokenIn(config.join_token_file)
      await joinFleet({ url, token, name, paths: pathsIn(config.data), ca: caOf(config.tls_ca), timeoutMs: 15_000 })
      return log.info({ device: name, url }, 'joined')
    } catch (error) {
      if (!(error instanceof JoinFailure)) throw error
      if (!['unreachable', 'untrusted', 'unavailable'].includes(error.code)) throw new ConfigFault('join_token', error.message)
      log.warn({ url, reason: error.message }, 'cannot join yet')
      notify.status(`cannot join yet: ${error.message}`)
      await sleep(systemClock, 2000)
    }
  }
}

/** The file may come later than the device, and is another one when its token is used up. */
function joinTokenIn(file = ''): string {
  if (!existsSync(file)) throw new JoinFailure('unavailable', `there is no ${file} yet`)
  return readFileSync(file, 'utf8').trim()
}

function caOf(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readFileSync(file, 'utf8')
}
