import type { Deployment } from '../../schemas/deployment.ts'
import type { OutputOf } from '../../schemas/operations.ts'
import type { Client } from './client.ts'
import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { ago, factsOf, tableOf } from './table.ts'
import { askFor, askPages, withClient } from './with-client.ts'

type Whole = OutputOf<'deployment.get'>

/** `deployment list`: newest first. */
export const listDeployments = (
  io: Io,
  flags: GlobalFlags & { limit?: number },
  filters: Readonly<Record<string, string>>,
): Promise<number> =>
  withClient(io, flags, async (client) => {
    const deployments = await askPages(
      flags.limit ?? 20,
      (limit, cursor) =>
        askFor(client, 'deployment.list', { ...filters, limit: Math.min(limit, 100), ...(cursor ? { cursor } : {}) }),
      (page) => page.deployments,
    )
    if (flags.json) printJson(io, deployments)
    else if (deployments.length === 0) io.err('skein: there is no deployment\n')
    else
      io.out(
        tableOf(
          ['DEPLOYMENT', 'RELEASE', 'STATE', 'DEVICES', 'CREATED', 'BY', 'REASON'],
          deployments.map((one) => [
            ...[one.deployment_id, one.release, one.state, countsText(one), ago(one.created_at, io.clock.now()), one.created_by],
            one.reason ?? '',
          ]),
          io.terminal,
        ),
      )
    return exitCodes.done
  })

/** A deployment with all its devices, page by page. */
export const wholeDeployment = async (client: Client, id: string): Promise<Whole> => {
  let whole = await askFor(client, 'deployment.get', { deployment_id: id, limit: 1000 })
  while (whole.cursor !== null) {
    const next = await askFor(client, 'deployment.get', { deployment_id: id, limit: 1000, cursor: whole.cursor })
    whole = { ...next, device_list: [...whole.device_list, ...next.device_list] }
  }
  return whole
}

/** `deployment get`. */
export const getDeployment = (io: Io, flags: GlobalFlags, id: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const whole = await wholeDeployment(client, id)
    if (flags.json) printJson(io, whole)
    else io.out(deploymentDetails(whole, io))
    return exitCodes.done
  })

/** `deployment pause`, `resume`, `cancel` and `rollback`. */
export const orderDeployment = (
  io: Io,
  flags: GlobalFlags & { rollback?: boolean },
  what: 'pause' | 'resume' | 'cancel' | 'rollback',
  id: string,
): Promise<number> =>
  withClient(io, flags, async (client) => {
    const one = await askFor(client, `deployment.${what}`, {
      deployment_id: id,
      ...(what === 'cancel' && flags.rollback ? { rollback: true } : {}),
    })
    if (flags.json) printJson(io, one)
    else io.out(`${one.deployment_id} ${one.state}${one.reason === null ? '' : `: ${one.reason}`}\n`)
    return exitCodes.done
  })

/** How many of its devices are in which state, in a few words. */
export const countsText = ({ devices, counts }: Pick<Deployment, 'devices' | 'counts'>): string => {
  const parts = Object.entries(counts).filter(([, count]) => count !== undefined && count > 0)
  return parts.length === 0 ? String(devices) : parts.map(([state, count]) => `${count} ${state}`).join(', ')
}

/** A deployment for people: how it is, what happened, and each device. */
export const deploymentDetails = (one: Whole, io: Pick<Io, 'terminal' | 'clock'>): string => {
  const { strategy, target } = one
  return [
    factsOf([
      ['deployment', one.deployment_id],
      ['release', one.release],
      ['state', one.state],
      ['reason', one.reason],
      ['target', target.devices?.join(', ') ?? (target.selector || 'all devices')],
      ['devices', countsText(one)],
      ['batch', one.batch === null ? null : `${one.batch} of ${one.batches}`],
      ['batches of', strategy.batch],
      ['canary', strategy.canary || null],
      ['created', `${one.created_at} by ${one.created_by}`],
      ['ended', one.ended_at],
      ['expected end', one.expected_end_at],
    ]),
    '\n',
    tableOf(
      ['AT', 'STATE', 'BY', 'REASON'],
      one.history.map(({ at, state, by, reason }) => [at, state, by ?? '-', reason ?? '']),
      io.terminal,
    ),
    '\n',
    devicesTable(one, io),
  ].join('')
}

export const devicesTable = (one: Pick<Whole, 'device_list'>, io: Pick<Io, 'terminal'>): string =>
  tableOf(
    ['DEVICE', 'BATCH', 'STATE', 'PREVIOUS', 'REASON'],
    one.device_list.map(({ device, batch, state, previous, reason, progress }) => [
      ...[device, batchText(batch), state, previous ?? '-'],
      progress ?? reason ?? '',
    ]),
    io.terminal,
  )

/** Whose turn it is with; of one whose turn never comes, nothing. */
export const batchText = (batch: number | null): string => (batch === null ? '-' : batch === 0 ? 'canary' : String(batch))
