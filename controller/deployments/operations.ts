import { createHash } from 'node:crypto'
import type { Chance } from '../../base/chance.ts'
import type { Clock } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { NewDeployment } from '../../schemas/deployment.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import { instant } from '../../schemas/ids.ts'
import { readReleaseRef } from '../../schemas/release.ts'
import { maxOutputBytes } from '../../schemas/request.ts'
import type { Asker } from '../asking.ts'
import { fitting } from '../core/preview.ts'
import { beginRollout } from '../core/rollout/begin.ts'
import { order } from '../core/rollout/order.ts'
import type { Rollout } from '../core/rollout/rollout.ts'
import type { Effects } from '../effects.ts'
import type { Fleet } from '../fleet.ts'
import type { Handlers } from '../handlers.ts'
import { badCursor, pageOf, readCursor } from '../paging.ts'
import { noRelease } from '../releases/operations.ts'
import type { DeploymentRow } from '../store/deployments.ts'
import { workloadsOf } from '../store/releases.ts'
import type { Store } from '../store/store.ts'
import type { Views } from '../views.ts'
import type { Deployments } from './deployments.ts'
import type { Facts } from './facts.ts'
import { type Targets, targetsOf } from './targets.ts'
import { deploymentDeviceView, deploymentView, storedDeploymentView, summaryOf } from './views.ts'

export interface DeploymentOperationsDeps {
  store: Store
  fleet: Fleet
  views: Views
  deployments: Deployments
  facts: Facts
  commits: GroupCommit
  effects: Effects
  clock: Clock
  chance: Chance
}

const mostShown = 1000
const mostOthers = 200

/** What people ask about deployments: that they begin, wait, go on, end and go back; how they are; and what a device is to run. */
export const deploymentOperations = (deps: DeploymentOperationsDeps) => {
  const { store, fleet, deployments, facts, commits, effects, clock } = deps

  const withDeployment = (id: string, use: (row: DeploymentRow) => Outcome<unknown>): Outcome<unknown> => {
    const row = store.deployments.get(id)
    if (row) return use(row)
    const message = `there is no deployment "${id}"`
    return refused('not_found', message, [{ field: 'deployment_id', code: 'not_found', message }])
  }

  const shown = (row: DeploymentRow): unknown => {
    const one = deployments.read(row)
    return one && deploymentView(one, clock.now())
  }

  const ordered =
    (what: Parameters<typeof order>[1], name: string) =>
    (asker: Asker, { deployment_id: id }: { deployment_id: string }) =>
      commits.run(() =>
        withDeployment(id, (row) => {
          const decide = (rollout: Rollout): Outcome<Rollout> => {
            const decided = order(rollout, what, asker.subject, clock.now())
            return decided.ok
              ? accepted(decided.rollout)
              : refused('conflict', decided.reason, [{ field: 'deployment_id', code: 'wrong_state', message: decided.reason }])
          }
          const outcome = deployments.order(row, decide, asker.subject)
          if (!outcome.ok) return outcome
          const about = { subject: asker.subject, operation: `deployment.${name}`, deployment_id: id }
          effects.event('audit', `skein.audit.deployment_${name}`, asker.subject, about)
          return accepted(deploymentView(outcome.output, clock.now()))
        }),
      )

  /** What it would be, or is to be: its release, its devices, and how far each is. */
  const planned = (
    input: NewDeployment,
    id: string,
  ): Outcome<{
    release: { name: string; version: string; digest: string; workloads: string[] }
    targets: Targets
    rollout: Rollout
  }> => {
    const { release: ref, target, env: _env, idempotency_key: _key, ...strategy } = input
    const { name, version } = readReleaseRef(ref) ?? { name: ref, version: '' }
    const release = store.releases.get(name, version)
    if (!release) return noRelease(name, version)
    if (input.health_timeout_seconds <= input.min_healthy_seconds) {
      const message = `must be more than min_healthy_seconds, ${input.min_healthy_seconds}: by then no device could be healthy`
      return refused('invalid', `health_timeout_seconds: ${message}`, [
        { field: 'health_timeout_seconds', code: 'too_small', message },
      ])
    }
    const targets = targetsOf(fleet, target)
    if (!targets.ok) return targets
    const rollout = beginRollout(
      targets.output.devices.map((device) => {
        const reported = facts.reportedOf(device.row.name, name)
        const entry = store.desired.get(device.row.name, name)
        return {
          device: device.row.name,
          labels: device.labels,
          isConnected: facts.isThere(device.row.name),
          hasIt: entry?.digest === release.digest && reported?.active?.digest === release.digest && reported.state === 'healthy',
        }
      }),
      strategy,
      id,
      release.digest,
      clock.now(),
    )
    return accepted({
      release: { name, version, digest: release.digest, workloads: workloadsOf(release) },
      targets: targets.output,
      rollout,
    })
  }

  const preview = (input: NewDeployment): Outcome<unknown> => {
    const plan = planned(input, 'preview')
    if (!plan.ok) return plan
    const { release, targets, rollout } = plan.output
    const would = rollout.devices.map(({ device, batch, state, reason }) => {
      const known = fleet.devices.get(device)
      return {
        device,
        batch,
        state: known ? deps.views.stateOf(known) : ('offline' as const),
        previous: store.desired.get(device, release.name)?.version ?? null,
        why: facts.clash(device, release.name, release.workloads) ?? (state === 'pending' ? null : reason),
      }
    })
    const about = {
      dry_run: true,
      release: input.release,
      ...release,
      strategy: rollout.strategy,
      devices: rollout.devices.length,
    }
    const others = targets.others.slice(0, mostOthers)
    const room = maxOutputBytes * 0.85 - Buffer.byteLength(JSON.stringify([about, others]))
    return accepted({ ...about, would: fitting(would.slice(0, mostShown), room), others, other_count: targets.others.length })
  }

  const create = (asker: Asker, input: NewDeployment): Outcome<unknown> => {
    const { idempotency_key: key, ...body } = input
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex')
    const known = key === undefined ? undefined : store.deployments.byKey(asker.subject, key)
    if (known && known.body_hash !== hash) {
      const message = 'was used for another deployment'
      return refused('conflict', `idempotency_key: ${message}`, [{ field: 'idempotency_key', code: 'reused', message }])
    }
    if (known) return accepted({ ...Object(shown(known)), duplicate: true })
    const now = clock.now()
    const id = deps.chance.ulid(now)
    const plan = planned(input, id)
    if (!plan.ok) return plan
    const { release, rollout } = plan.output
    const { devices, ...rest } = rollout
    store.deployments.insert({
      ...{ deployment_id: id, name: release.name, version: release.version, digest: release.digest, state: rollout.state },
      ...{
        rollout: JSON.stringify({ ...rest, summary: summaryOf(rollout) }),
        target: JSON.stringify(input.target),
        env: JSON.stringify(input.env ?? {}),
      },
      ...{ created_at: now, created_by: asker.subject, ended_at: null, idempotency_key: key ?? null, body_hash: hash },
    })
    for (const [n, device] of devices.entries())
      store.deployments.putDevice({
        ...{ deployment_id: id, n, device: device.device, state: device.state, body: JSON.stringify(device) },
        ...{ previous: null, revision: null },
      })
    store.deployments.say({ deployment_id: id, at: now, state: rollout.state, reason: rollout.reason, by: asker.subject })
    const row = store.deployments.get(id)
    if (!row) return refused('internal', 'a deployment that was just stored is not there')
    deployments.begin(row)
    const about = {
      subject: asker.subject,
      operation: 'deployment.create',
      deployment_id: id,
      release: input.release,
      devices: devices.length,
    }
    effects.event('audit', 'skein.audit.deployment_created', asker.subject, about)
    effects.event('deployment', 'skein.deployment.pending', id, {
      deployment_id: id,
      release: input.release,
      state: rollout.state,
      by: asker.subject,
    })
    return accepted(shown(row))
  }

  return {
    'deployment.create': (asker, { dry_run, ...input }) => (dry_run ? preview(input) : commits.run(() => create(asker, input))),
    'deployment.list': (_, { limit, cursor, ...filter }) => {
      const before = cursor === undefined ? undefined : readCursor(cursor)
      if (before === null) return badCursor
      const rows = store.deployments.list({ ...filter, before, limit: limit + 1 })
      const page = pageOf(rows, limit, storedDeploymentView, (row) => row.n)
      return accepted({ deployments: page.shown, cursor: page.cursor })
    },
    'deployment.get': (_, { deployment_id: id, limit, cursor, device_state: states }) => {
      const start = cursor === undefined ? 0 : readCursor(cursor)
      if (start === null) return badCursor
      return withDeployment(id, (row) => {
        const one = deployments.read(row)
        if (!one) return refused('not_found', `the release of deployment "${id}" is not there any more`)
        const rows = one.rollout.devices
          .map((device, index) => ({ device, index }))
          .filter(({ device }) => !states || states.includes(device.state))
          .filter(({ index }) => index >= start)
        const page = pageOf(
          rows.slice(0, limit + 1),
          limit,
          ({ device }) => deploymentDeviceView(one, device, facts.reportedOf(device.device, row.name)),
          ({ index }) => index + 1,
        )
        const history = store.deployments.history(id).slice(-100)
        return accepted({
          ...deploymentView(one, clock.now()),
          device_list: page.shown,
          history: history.map(({ at, state, reason, by }) => ({ at: instant(at), state, reason, by })),
          cursor: page.cursor,
        })
      })
    },
    'deployment.pause': ordered('pause', 'pause'),
    'deployment.resume': ordered('resume', 'resume'),
    'deployment.cancel': (asker, input) => ordered(input.rollback ? 'cancel_and_rollback' : 'cancel', 'cancel')(asker, input),
    'deployment.rollback': ordered('rollback', 'rollback'),
    'device.plan': (_, { device: name }) => {
      const device = fleet.devices.get(name)
      if (!device) return refused('not_found', `no device named "${name}" has joined`)
      const desired = store.desired.of(name)
      const reported = device.reported?.releases ?? []
      const names = [...new Set([...desired.map((one) => one.name), ...reported.map((one) => one.name)])].sort()
      const releases = names.map((release) => {
        const wanted = desired.find((one) => one.name === release)
        const told = reported.find((one) => one.name === release) ?? null
        return {
          name: release,
          desired: wanted ? { version: wanted.version, digest: wanted.digest, deployment: wanted.deployment } : null,
          reported: told,
          why: whyNot(wanted?.digest, told),
        }
      })
      const revision = store.desired.revision(name)
      return accepted({
        ...{ device: name, state: deps.views.stateOf(device), desired_revision: revision },
        reported_revision: device.reported?.revision ?? null,
        in_sync: (device.reported?.revision ?? 0) >= revision && releases.every(({ why }) => why === null),
        releases,
      })
    },
  } satisfies Partial<Handlers>
}

/** Why a device does not run what it is to run; null if it does. */
const whyNot = (
  digest: string | undefined,
  told: { active: { digest: string } | null; state: string; reason: string | null } | null,
): string | null => {
  if (digest === undefined) return told?.active ? 'it is to run nothing of this name, and still does' : null
  if (!told) return 'the device has not said anything of it yet'
  if (told.active?.digest === digest && told.state === 'healthy') return null
  return told.reason === null ? told.state : `${told.state}: ${told.reason}`
}
