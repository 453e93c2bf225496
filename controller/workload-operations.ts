import { createHash } from 'node:crypto'
import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { matches, parseSelector } from '../schemas/selector.ts'
import type { FleetWorkload } from '../schemas/workload-operations.ts'
import type { WorkloadRequest } from '../schemas/workload-requests.ts'
import type { Asker } from './asking.ts'
import type { DeviceAsking, Question } from './device-asking.ts'
import type { Effects } from './effects.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { Handlers } from './handlers.ts'
import { badCursor, pageOf, readCursor } from './paging.ts'
import type { Views } from './views.ts'
import { createShellAsking } from './workload-shell.ts'

export interface WorkloadOperationsDeps {
  fleet: Fleet
  views: Views
  asking: DeviceAsking
  effects: Effects
  commits: GroupCommit
  clock: Clock
  chance: Chance
}

/** What people ask about workloads: shown as devices have reported them, done and read by the devices themselves. */
export const workloadOperations = (deps: WorkloadOperationsDeps) => {
  const { fleet, views, asking, effects, commits } = deps

  const workloadsOf = (device: FleetDevice): FleetWorkload[] => {
    const { reported, row } = device
    if (!reported) return []
    const about = { device: row.name, device_state: views.stateOf(device), reported_at: reported.at }
    return reported.workloads.map((one) => ({ ...one, ...about }))
  }

  /** A key makes it the same request, however often and by whichever way it comes: the device remembers what it has done. */
  const requestOf = (asker: Asker, parts: readonly unknown[], key: string | null | undefined): string =>
    key === undefined || key === null
      ? deps.chance.ulid(deps.clock.now())
      : createHash('sha256')
          .update(JSON.stringify([asker.subject, ...parts, key]))
          .digest('hex')
          .slice(0, 32)

  interface Change {
    device: string
    workload?: string
    timeout_seconds: number
    idempotency_key?: string | undefined
  }

  /** Lets the device do it, and makes known who wanted that, and what came of it. */
  const change = async <R extends Exclude<WorkloadRequest, 'logs' | 'history' | 'shell'>>(
    asker: Asker,
    what: R,
    input: Change,
    bodyOf: (request: string) => Question<R>['body'],
  ): Promise<Outcome<unknown>> => {
    const { device, workload, timeout_seconds: seconds, idempotency_key: key } = input
    const body = bodyOf(requestOf(asker, [what, device, workload], key))
    const outcome = await asking.ask({ device, what, body, withinMs: seconds * 1000 })
    const result = outcome.ok ? 'done' : (outcome.error.details?.[0]?.code ?? outcome.error.code)
    const about = { subject: asker.subject, operation: `workload.${what}`, device, workload: workload ?? null, result }
    return commits.run(() => {
      effects.event('audit', `skein.audit.workload_${what}`, asker.subject, about)
      return outcome
    })
  }

  return {
    'workload.list': (_, input) => {
      const selector = parseSelector(input.selector ?? '')
      if (input.selector && !selector.ok) {
        return refused('invalid', `selector: ${selector.reason}`, [
          { field: 'selector', code: 'invalid_selector', message: selector.reason },
        ])
      }
      const start = input.cursor === undefined ? 0 : readCursor(input.cursor)
      if (start === null) return badCursor
      if (input.device !== undefined && !fleet.devices.has(input.device)) return noDevice(input.device)
      const wanted = [...fleet.devices.values()]
        .filter((device) => input.device === undefined || device.row.name === input.device)
        .filter((device) => !input.selector || (selector.ok && matches(selector.requirements, device.labels)))
        .sort((a, b) => (a.row.name < b.row.name ? -1 : 1))
        .flatMap((device) => workloadsOf(device).sort((a, b) => (a.name < b.name ? -1 : 1)))
        .filter(({ name }) => input.name === undefined || input.name === name)
        .filter(({ state }) => !input.state || (input.state as readonly string[]).includes(state)) // a device may know more states
        .filter(({ tags }) => input.tag === undefined || tags.includes(input.tag))
        .map((workload, index) => ({ workload, index }))
        .slice(start)
      const { shown, cursor } = pageOf(
        wanted,
        input.limit,
        ({ workload }) => workload,
        ({ index }) => index + 1,
      )
      return accepted({ workloads: shown, cursor })
    },
    'workload.get': (_, input) => {
      const device = fleet.devices.get(input.device)
      if (!device) return noDevice(input.device)
      const workload = workloadsOf(device).find((one) => one.name === input.workload)
      if (workload) return accepted(workload)
      const message = device.reported
        ? `device "${input.device}" has no workload "${input.workload}"`
        : `device "${input.device}" has not reported any workloads`
      return refused('not_found', message, [{ field: 'workload', code: 'not_found', message }])
    },
    'workload.start': (asker, input) => change(asker, 'start', input, (request) => ({ request, workload: input.workload })),
    'workload.stop': (asker, input) => change(asker, 'stop', input, (request) => ({ request, workload: input.workload })),
    'workload.restart': (asker, input) => change(asker, 'restart', input, (request) => ({ request, workload: input.workload })),
    'workload.reload': (asker, input) => change(asker, 'reload', input, (request) => ({ request })),
    'workload.logs': (asker, { device, timeout_seconds: seconds, ...input }) =>
      asking.ask({
        device,
        what: 'logs',
        // A client repeats its request while it waits; the device is to read once for that.
        body: { request: requestOf(asker, ['logs', device, input], asker.request), ...input },
        withinMs: seconds * 1000,
      }),
    'workload.history': (asker, { device, timeout_seconds: seconds, ...input }) =>
      asking.ask({
        device,
        what: 'history',
        body: { request: requestOf(asker, ['history', device, input], asker.request), ...input },
        withinMs: seconds * 1000,
      }),
    'workload.shell': createShellAsking({ asking, effects, commits, requestOf }),
    'device.answer': (asker, input) => asking.answered(asker.subject, input),
  } satisfies Partial<Handlers>
}

const noDevice = (name: string) => refused('not_found', `no device named "${name}" has joined`)
