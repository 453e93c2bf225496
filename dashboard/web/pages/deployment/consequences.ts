import type { DeploymentDevice } from '../../../../schemas/deployment.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { plural } from '../../format/amounts.ts'

type Whole = OutputOf<'deployment.get'>
export type Order = 'pause' | 'resume' | 'cancel' | 'rollback'

/** Whether it goes back, or would if it were not paused. */
export const isGoingBack = ({ state, history }: Pick<Whole, 'state' | 'history'>): boolean =>
  state === 'rolling_back' || (state === 'paused' && history.findLast((one) => one.state !== 'paused')?.state === 'rolling_back')

/** What can be ordered of a deployment as it is. */
export const ordersFor = (one: Pick<Whole, 'state' | 'counts' | 'strategy' | 'history'>): readonly Order[] => {
  const isHeld = one.strategy.late === 'hold' && (one.counts.deferred ?? 0) > 0
  const letIn: readonly Order[] = isHeld ? ['resume'] : []
  switch (one.state) {
    case 'pending':
    case 'in_progress':
      return ['pause', ...letIn, 'cancel', 'rollback']
    case 'paused':
      return isGoingBack(one) ? ['resume'] : ['resume', 'cancel', 'rollback']
    case 'completed':
      return [...letIn, 'rollback']
    case 'failed':
    case 'cancelled':
      return ['rollback']
    case 'rolling_back':
      return ['pause']
    case 'rolled_back':
      return []
  }
}

type Devices = readonly Pick<DeploymentDevice, 'state' | 'previous' | 'started_at'>[]
type About = Pick<Whole, 'state' | 'version' | 'history'>

/** What an order will do, in whole sentences, before it is given. */
export const whatFollows = (order: Order, about: About, devices: Devices): readonly string[] => {
  const count = (...states: readonly string[]): number => devices.filter(({ state }) => states.includes(state)).length
  const waiting = count('pending')
  switch (order) {
    case 'pause': {
      const under = count('deploying', 'deployed', 'rolling_back')
      return [
        under === 0
          ? 'No device is on its way at this moment.'
          : `${plural(under, 'device that has begun comes to its end', 'devices that have begun come to their end')}.`,
        'No further one begins until somebody resumes.',
      ]
    }
    case 'resume':
      if (about.state !== 'paused') return ['Devices that came back late and were held back get the release now.']
      return isGoingBack(about)
        ? ['It goes on with rolling back.']
        : [`It goes on as before: ${plural(waiting, 'device gets', 'devices get')} the release yet.`]
    case 'cancel':
      return [
        waiting === 0
          ? 'No other device waits for its turn.'
          : `${plural(waiting, 'device that waits does', 'devices that wait do')} not get the release.`,
      ]
    case 'rollback':
      return backText(about, devices)
  }
}

/** What a cancelled deployment leaves behind, unless it is rolled back. */
export const whatStays = (devices: Devices): readonly string[] => {
  const under = devices.filter(({ state }) => state === 'deploying' || state === 'deployed').length
  return [
    'Devices that have the release keep it.',
    ...(under > 0
      ? [`${plural(under, 'device that has begun comes to its end', 'devices that have begun come to their end')}.`]
      : []),
  ]
}

const backText = ({ version }: About, devices: Devices): readonly string[] => {
  const touched = devices.filter(({ started_at, state }) => started_at !== null && !untouched.has(state))
  if (touched.length === 0) return ['No device has been touched yet: none has to go back.']
  const first = touched.filter(({ previous }) => previous === null).length
  const others = touched.length - first
  return [
    ...(others > 0
      ? [`${plural(others, 'device goes', 'devices go')} back to the version that ${others === 1 ? 'it' : 'they'} had before.`]
      : []),
    ...(first > 0
      ? [
          `${plural(first, 'device that had', 'devices that had')} nothing of it before ${first === 1 ? 'runs' : 'run'} nothing of it again: the workloads of ${version} are stopped and removed there.`,
        ]
      : []),
    'Each is watched until what it had is well.',
  ]
}

const untouched: ReadonlySet<string> = new Set(['pending', 'deferred', 'superseded', 'skipped', 'rolled_back'])
