import { isDeploymentOver } from '../../schemas/deployment.ts'
import { topicOf } from '../../schemas/topics.ts'
import { createBell } from './bell.ts'
import type { Client } from './client.ts'
import { batchText, countsText, devicesTable, wholeDeployment } from './deployment.ts'
import { exitCodes, unanswered, usageFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { refOf } from './release.ts'
import { plain, tableOf } from './table.ts'
import { askFor, withClient } from './with-client.ts'

export interface DeployFlags extends GlobalFlags {
  selector?: string
  device?: string[]
  all?: boolean
  batch?: string
  canary?: number
  maxFailures?: number
  maxFailureRatio?: number
  minHealthy?: number
  healthTimeout?: number
  maxUnavailable?: string
  maxUnavailablePer?: string
  pause?: number
  late?: string
  progressDeadline?: number
  /** False with --no-rollback. */
  rollback?: boolean
  env?: Record<string, string>
  dryRun?: boolean
  watch?: boolean
}

/** `deploy`: rolls a release out; with `--watch` it is told how it goes, to its end. */
export const deploy = (io: Io, flags: DeployFlags, text: string): Promise<number> => {
  refOf(text)
  const input = { release: text, target: targetOf(flags), ...strategyOf(flags), ...(flags.env ? { env: flags.env } : {}) }
  return withClient(io, flags, async (client) => {
    if (flags.dryRun) return preview(io, flags, client, input)
    const key = io.chance.ulid(io.clock.now())
    const made = await askFor(client, 'deployment.create', { ...input, idempotency_key: key }).catch(
      unanswered('it may have begun: see skein deployment list'),
    )
    const id = made.deployment_id ?? ''
    if (flags.watch) return watch(io, flags, client, id)
    if (flags.json) printJson(io, made)
    else io.out(`${id}\n`)
    return exitCodes.done
  })
}

/** `deployment watch`: the same for one that has begun. */
export const watchDeployment = (io: Io, flags: GlobalFlags, id: string): Promise<number> =>
  withClient(io, flags, (client) => watch(io, flags, client, id))

const targetOf = ({ selector, device, all }: DeployFlags): { devices?: string[]; selector?: string } => {
  if (all && (selector !== undefined || device))
    throw usageFailure('--all is for all devices; leave out --selector and --device, or --all')
  if (!all && selector === undefined && !device)
    throw usageFailure('Say where to: --selector site=berlin, --device pi-1, or --all')
  return { ...(device ? { devices: device } : {}), ...(selector !== undefined ? { selector } : all ? { selector: '' } : {}) }
}

const strategyOf = (flags: DeployFlags): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries({
      batch: flags.batch,
      canary: flags.canary,
      max_failures: flags.maxFailures,
      max_failure_ratio: flags.maxFailureRatio,
      min_healthy_seconds: flags.minHealthy,
      health_timeout_seconds: flags.healthTimeout,
      max_unavailable: flags.maxUnavailable,
      max_unavailable_per: flags.maxUnavailablePer,
      pause_seconds: flags.pause,
      late: flags.late,
      progress_deadline_seconds: flags.progressDeadline,
      auto_rollback: flags.rollback === false ? false : undefined,
    }).filter(([, value]) => value !== undefined),
  )

const preview = async (io: Io, flags: DeployFlags, client: Client, input: object): Promise<number> => {
  const plan = await askFor(client, 'deployment.create', { ...input, dry_run: true })
  if (flags.json) {
    printJson(io, plan)
    return exitCodes.done
  }
  const would = plan.would ?? []
  io.out(
    tableOf(
      ['DEVICE', 'BATCH', 'STATE', 'PREVIOUS', 'WHY'],
      would.map((one) => [one.device, batchText(one.batch), one.state, one.previous ?? '-', one.why ?? '']),
      io.terminal,
    ),
  )
  for (const { device, why } of plan.others ?? []) io.out(`not ${device}: ${plain(why)}\n`)
  io.out(`${plan.devices ?? would.length} devices would get it, ${plan.other_count ?? 0} would not; nothing was begun\n`)
  return exitCodes.done
}

/** How often it is asked how it stands, if nothing is told meanwhile. */
const askEveryMs = 2000

const watch = async (io: Io, flags: GlobalFlags, client: Client, id: string): Promise<number> => {
  const bell = createBell(io.clock)
  let isLeft = false
  io.onInterrupt(() => {
    isLeft = true
    bell.ring()
  })
  const topic = topicOf(client.fleet, 'event', { kind: 'deployment' })
  // Without the events it is only slower.
  client.bus.subscribe(topic, bell.ring).catch(() => undefined)
  const told = new Map<string, string>()
  let drawn = 0
  let last = ''
  for (;;) {
    const one = await wholeDeployment(client, id)
    const line = `${one.deployment_id} ${one.release} ${one.state}: ${one.reason ?? countsText(one)}`
    if (!flags.json && io.terminal) {
      const table = devicesTable(one, io).split('\n').slice(0, 40).join('\n')
      const text = `${plain(line)}\n${table.trimEnd()}\n`
      io.out(`${drawn > 0 ? `\u001b[${drawn}A\u001b[J` : ''}${text}`)
      drawn = text.split('\n').length - 1
    } else if (!flags.json) {
      for (const { device, batch, state, previous, reason } of one.device_list) {
        const said = `${state} ${reason ?? ''}`
        if (told.get(device) === said || state === 'pending') continue
        told.set(device, said)
        io.out(
          `${plain(`${device}  batch ${batch ?? '-'}  ${state}  previous ${previous ?? '-'}${reason === null ? '' : `  ${reason}`}`)}\n`,
        )
      }
      if (line !== last) io.out(`${plain(line)}\n`)
      last = line
    }
    if (isDeploymentOver(one.state)) {
      if (flags.json) printJson(io, one)
      return one.state === 'completed' ? exitCodes.done : exitCodes.failed
    }
    if (isLeft) {
      io.err(`skein: it goes on without you; skein deployment watch ${id}, or skein deployment cancel ${id}\n`)
      return exitCodes.interrupted
    }
    await bell.wait(askEveryMs)
  }
}
