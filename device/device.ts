import { mkdirSync } from 'node:fs'
import { systemChance } from '../base/chance.ts'
import { every, sleep, systemClock } from '../base/clock.ts'
import { isDamage, suspect } from '../base/damage.ts'
import type { Log } from '../base/log.ts'
import { startLoopDelay } from '../base/loop-delay.ts'
import { openMetricsDoor } from '../base/metrics-door.ts'
import { startMqttBus } from '../base/mqtt-bus.ts'
import { noBus } from '../base/no-bus.ts'
import { ConfigFault } from '../base/part.ts'
import { devicePathsIn, pathsIn } from '../base/paths.ts'
import type { Plugins } from '../base/plugins/plugins.ts'
import { claimsIn } from '../base/token-claims.ts'
import { version } from '../base/version.ts'
import { deviceClientId } from '../schemas/client-ids.ts'
import { accepted } from '../schemas/errors.ts'
import { instant } from '../schemas/ids.ts'
import { topicOf } from '../schemas/topics.ts'
import { withAgents } from './agents/agent-runner.ts'
import { createFoundAgents } from './agents/found-agents.ts'
import { openHomes } from './agents/homes.ts'
import { type AgentProfile, readProfiles } from './agents/profile.ts'
import { openSecrets } from './agents/secrets.ts'
import { createDeviceCore } from './core.ts'
import { hostMetricsOf, readHostFacts } from './host-metrics.ts'
import { openIdentity } from './identity.ts'
import { openSoundJournal } from './journal.ts'
import { openLocalSocket } from './local-socket.ts'
import { rehearse } from './logs/rehearsal.ts'
import { openSegments } from './logs/segments.ts'
import { deviceMetrics } from './metrics.ts'
import { startRenewal } from './renewal.ts'
import { watchRoom } from './room.ts'
import { environmentOf } from './runners/command-line.ts'
import { startProcessRunner } from './runners/process.ts'
import { readBootId } from './runners/process-table.ts'
import type { Pins } from './trust.ts'
import { watchWallClock } from './wall-clock.ts'
import { keepWorkloads } from './workloads/keeper.ts'
import type { Surroundings } from './workloads/surroundings.ts'

export interface DeviceOptions {
  name: string
  fleet: string
  folder: string
  /** The data folder that the former lies in. */
  data: string
  /** The broker; undefined for a device of no fleet. */
  url: string | undefined
  /** What it logs in at the broker with; asked for every connect. */
  password: () => string
  token: () => string
  /** The certificate authority of the broker, as PEM, if it is not one that the system knows. */
  ca: string | undefined
  /** Where a new token goes; undefined if the token was given by value. */
  tokenFile: string | undefined
  /** The thumbprint of the controller's key, if the token does not name it. */
  controllerKey: string | undefined
  labels: Record<string, string>
  capacity: number
  spoolMb: number
  /** What the logs of workloads may take. */
  logMb: number
  /** What people have added to it. */
  plugins: Plugins
  metricsPort: number | undefined
  /** Whether admins may open a shell here through the broker. */
  remoteShell: boolean
  env: Readonly<Record<string, string | undefined>>
  log: Log
  /** The journal cannot be used any more: the daemon must be started again. */
  broken: () => void
  /** Somebody on this machine wants everything ended, and the daemon with it. */
  endForGood: () => void
}

/** How long a device that ends waits for its last results to be acknowledged; they are in its journal anyway. */
const farewellMs = 1500
/** How often it is looked whether agents have come, gone, or changed. */
const agentsMs = 60_000
/** So that the answer to who asked for it is out. */
const shutdownAfterMs = 50

/** Starts a device: its journal, its processes, its connection and its local socket. */
export const startDevice = async (options: DeviceOptions) => {
  const { name, fleet, log, plugins } = options
  const clock = systemClock
  const paths = devicePathsIn(options.folder)
  mkdirSync(paths.runs, { recursive: true, mode: 0o700 })
  const { journal, damage } = openSoundJournal(paths.journal, Date.now())
  if (damage !== null) log.error({ found: damage }, 'the journal is damaged')
  for (const one of plugins.shown)
    if ('error' in one) log.error(one, 'cannot use a plugin; what needs it is refused')
    else log.info(one, 'plugin loaded')
  const processes = startProcessRunner({ folder: paths.runs, data: options.data, clock, log, env: options.env })
  const profiles = profilesIn(pathsIn(options.data).agents)
  const agents = createFoundAgents(profiles, options.env['PATH'] ?? '', log)
  const secrets = openSecrets(paths.secrets)
  const runner = withAgents({
    ...{ runner: processes, profiles, secrets, clock },
    ...{ runs: paths.runs, homes: openHomes(paths.agents, paths.artifacts, log), artifacts: paths.artifacts },
  })
  const segments = openSegments(paths.spool)
  const bus =
    options.url === undefined
      ? noBus
      : startMqttBus({
          url: options.url,
          clientId: deviceClientId(fleet, name),
          username: name,
          password: options.password,
          ...(options.ca === undefined ? {} : { ca: options.ca }),
          will: () => ({
            topic: topicOf(fleet, 'deviceState', { device: name }),
            payload: JSON.stringify({
              state: 'offline',
              session: journal.nextSession(),
              at: instant(clock.now()),
              reason: 'connection lost',
            }),
            retain: true,
            qos: 1,
          }),
          log,
          clock,
          chance: systemChance,
        })

  const identity = openIdentity(paths.identity)
  let tellOfRoom = (): void => {}
  const room = watchRoom({
    folder: options.folder,
    spoolMb: options.spoolMb,
    logMb: options.logMb,
    clock,
    log,
    changed: () => tellOfRoom(),
  })

  const facts = readHostFacts()
  const labels = (): Record<string, string> => ({ ...facts, ...agents.labels(), ...options.labels })
  const surroundings: Surroundings = (own, payloadEnv) => environmentOf(options.env, own, { env: payloadEnv })
  const wallClock = watchWallClock({ journal, clock })
  const boot = readBootId()
  let keeper: ReturnType<typeof keepWorkloads> | undefined
  const metrics = hostMetricsOf(options.folder)
  const damaged = (error: unknown): void => {
    suspect(paths.journal)
    log.fatal({ err: error }, 'the journal is damaged; the next start begins a new one')
    options.broken()
  }
  const core = createDeviceCore({
    name,
    fleet,
    bus,
    journal,
    runner,
    segments,
    clock,
    chance: systemChance,
    log,
    boot,
    version,
    pinned: () => pinsOf(options.token(), options.controllerKey),
    identity,
    renewed: (sealed) => renewal.take(sealed),
    token: () => (options.tokenFile === undefined ? undefined : tokenInUse(options.token())),
    labels,
    capacity: options.capacity,
    capabilities: runner.capabilities,
    metrics,
    spoolBudget: room.spoolBudget,
    refuses: room.refusal,
    workloads: (port) => {
      keeper = keepWorkloads({
        ...{ name, fleet, paths, journal, runner, room, wallClock, surroundings, labels, clock, log, port },
        ...{ chance: systemChance, boot, env: options.env, remoteShell: options.remoteShell, plugins },
      })
      return keeper
    },
    damaged,
  })
  tellOfRoom = core.link.beat
  const lookForAgents = (): void => {
    agents.look().then(
      (isChanged) => isChanged && core.link.startOver(),
      (error: unknown) => log.warn({ err: error }, 'cannot look for agents'),
    )
  }
  lookForAgents()
  const looking = every(clock, agentsMs, lookForAgents)
  // Without a broker there is no token to renew.
  const renewal = startRenewal({
    fleet,
    device: name,
    url: options.url ?? '',
    ca: options.ca,
    token: options.token,
    tokenFile: options.tokenFile,
    identity,
    trusted: core.link.trusted,
    isWelcomed: core.link.isWelcomed,
    clock,
    log,
  })
  // Nobody waits for a device to the millisecond, and to wake up is dear where nothing else happens: 20 times a second was half of what it used.
  const delay = startLoopDelay({ log, everyMs: 200, warnMs: 250 })
  const renderMetrics = (): string =>
    deviceMetrics(
      {
        isConnected: bus.isConnected(),
        running: core.supervisor.running().length,
        capacity: options.capacity,
        unacknowledgedStreams: core.unacknowledged().streams,
        spooledBytes: core.unacknowledged().log_bytes,
        workloads: keeper?.workloads.statuses() ?? [],
        logBytes: keeper?.workloads.logs.bytes() ?? 0,
        host: metrics(),
      },
      delay,
    )
  const status = () => ({
    device: name,
    fleet,
    version,
    ...(damage === null ? {} : { damage }),
    pid: process.pid,
    url: options.url ?? null,
    ...core.link.status(),
    ...(bus.isConnected() ? {} : { problem: bus.lastError() ?? null }),
    capacity: options.capacity,
    capabilities: runner.capabilities(),
    running: core.supervisor.runs(),
    workloads: keeper?.workloads.live.size ?? 0,
    ...(keeper?.releases.reported() ? { releases: keeper.releases.reported() } : {}),
    ...(plugins.shown.length === 0 ? {} : { plugins: plugins.shown }),
    ...(room.refusal() === undefined ? {} : { takes_nothing_new: room.refusal() }),
    unacknowledged: core.unacknowledged(),
    metrics: metrics(),
  })
  const metricsDoor = options.metricsPort === undefined ? undefined : await openMetricsDoor(options.metricsPort, renderMetrics)
  if (!keeper) throw new Error('The core has not asked for what keeps its workloads')
  const { requests, workloads, follow } = keeper
  const socket = await openLocalSocket(
    paths.socket,
    {
      ...requests,
      reload: ({ dry_run }) => requests.reload({}, dry_run),
      metrics: () => accepted({ text: renderMetrics() }),
      status: () => accepted(status()),
      secrets: () => accepted({ secrets: secrets.names() }),
      secret_set: ({ name, value }) => secrets.set(name, value),
      secret_delete: (input) => secrets.delete(input.name),
      shutdown: () => {
        clock.after(shutdownAfterMs, options.endForGood)
        return accepted({ device: name, pid: process.pid, workloads: workloads.live.size })
      },
    },
    follow,
  )
  rehearse(segments, clock)
  // It works without a controller: whatever is left is taken up before there is a connection.
  core.start().catch((error: unknown) => {
    if (isDamage(error)) damaged(error)
    else log.error({ err: error }, 'cannot subscribe')
  })

  const end = async (): Promise<void> => {
    room.close()
    looking.cancel()
    wallClock.close()
    renewal.close()
    await delay.close()
    await metricsDoor?.close()
    await socket.close()
    await bus.close()
    await runner.close()
    segments.close()
    keeper?.close()
    journal.close()
  }
  return {
    /** Ends everything that runs, within its grace, and leaves. */
    shutdown: async (): Promise<void> => {
      await core.shutdown()
      for (let waited = 0; waited < farewellMs && bus.isConnected() && core.unacknowledged().streams > 0; waited += 50)
        await sleep(clock, 50)
      core.farewell()
      await sleep(clock, 20)
      await end()
    },
    /** What a shutdown waits for is killed. */
    hurry: runner.hurry,
    /** Leaves what runs alone, and goes. */
    leave: async (): Promise<void> => {
      core.abandon()
      await end()
    },
  }
}

/** A profile that cannot be read is a fault of the configuration: what needs it would only fail later. */
const profilesIn = (folder: string): AgentProfile[] => {
  try {
    return readProfiles(folder)
  } catch (error) {
    throw new ConfigFault('agents', error instanceof Error ? error.message : String(error))
  }
}

/** The controller keys that the token and the settings name; together they are what names them. */
const pinsOf = (token: string, controllerKey: string | undefined): Pins => {
  const { jti = '', ctl } = claimsIn(token)
  return { by: `${jti} ${controllerKey ?? ''}`.trim(), kids: [ctl, controllerKey].filter((one) => one !== undefined) }
}

/** What a hello tells of the token, so that the controller can see to a new one in time. */
const tokenInUse = (token: string): { id: string; issued_at: number; expires_at: number } | undefined => {
  const { jti, iat, exp } = claimsIn(token)
  return jti === undefined || iat === undefined || exp === undefined ? undefined : { id: jti, issued_at: iat, expires_at: exp }
}
