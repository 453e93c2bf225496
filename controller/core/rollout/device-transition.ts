import type { DeploymentDeviceState } from '../../../schemas/deployment.ts'
import type { RolloutDevice } from './rollout.ts'

/** What happens to a device in a rollout. */
export type DeviceEvent =
  | { kind: 'install' }
  | { kind: 'arrive' }
  | { kind: 'be_well' }
  | { kind: 'fail'; reason: string }
  | { kind: 'defer'; reason: string }
  | { kind: 'let_in'; reason: string }
  | { kind: 'return'; reason: string }
  | { kind: 'send_back'; reason: string }
  | { kind: 'be_back' }
  | { kind: 'supersede'; reason: string }
  | { kind: 'skip'; reason: string }

/**
 * The life of a device in a rollout:
 *
 *           install              arrive              be_well
 *   pending ───────▶ deploying ─────────▶ deployed ─────────▶ healthy
 *     ▲ │                ▲ │                  │
 *     │ │ defer          │ │ defer            │ defer
 *     │ ▼                │ ▼                  │           let_in and install: before its turn
 *   deferred           deferred ◀─────────────┘           return: what was touched goes on in the middle
 *     let_in, install    return
 *
 *   all of these        ──fail──▶ failed                  a deferred one only before its turn
 *   touched, or failed  ──send_back──▶ rolling_back ──be_back──▶ rolled_back
 *                                        │ ▲    └──fail──▶ failed
 *                                  defer ▼ │ return
 *                                      deferred
 *
 * From every state but superseded, skipped and rolled_back: supersede ──▶ superseded, and skip ──▶ skipped. A device is sent back once.
 * An event that a state does not expect is stale: nothing changes.
 */
export const deviceTransition = (device: RolloutDevice, event: DeviceEvent, now: number): RolloutDevice => {
  const to = nextState(device, event)
  if (to === undefined) return device
  const isSentBack = device.isSentBack || event.kind === 'send_back'
  return {
    ...device,
    state: to,
    reason: reasonAfter(device, event),
    startedAt: event.kind === 'install' ? now : device.startedAt,
    movedAt: now,
    endedAt: isEnd(to) ? now : null,
    isTouched: device.isTouched || event.kind === 'install',
    isSentBack,
    mark: beginsAnew[event.kind] ? null : device.mark,
  }
}

const reasonAfter = (device: RolloutDevice, event: DeviceEvent): string | null => {
  // Why a device failed is worth more than that it therefore goes back, and is back.
  if (event.kind === 'be_back' || (event.kind === 'send_back' && device.state === 'failed')) return device.reason
  return 'reason' in event ? event.reason : null
}

const nextState = (device: RolloutDevice, event: DeviceEvent): DeploymentDeviceState | undefined => {
  const { state, isTouched, isSentBack } = device
  const isBegun = isUnderWay(device)
  const isToCome = isBeforeItsTurn(device)
  switch (event.kind) {
    case 'install':
      return isToCome ? 'deploying' : undefined
    case 'arrive':
      return state === 'deploying' ? 'deployed' : undefined
    case 'be_well':
      return isBegun ? 'healthy' : undefined
    case 'fail':
      return isBegun || isToCome || state === 'healthy' || state === 'rolling_back' ? 'failed' : undefined
    case 'defer':
      return isBegun || state === 'pending' || state === 'rolling_back' ? 'deferred' : undefined
    case 'let_in':
      return state === 'deferred' && !isTouched ? 'pending' : undefined
    case 'return':
      if (state !== 'deferred' || !isTouched) return undefined
      return isSentBack ? 'rolling_back' : 'deploying'
    case 'send_back':
      if (!isTouched || isSentBack) return undefined
      return isBegun || state === 'healthy' || state === 'failed' || state === 'deferred' ? 'rolling_back' : undefined
    case 'be_back':
      return state === 'rolling_back' ? 'rolled_back' : undefined
    case 'supersede':
      return isSettled(state) ? undefined : 'superseded'
    case 'skip':
      return isSettled(state) ? undefined : 'skipped'
  }
}

/** What is no part of what happens next: nothing more is asked of such a device. */
const isSettled = (state: DeploymentDeviceState): boolean =>
  state === 'superseded' || state === 'skipped' || state === 'rolled_back'

const isEnd = (state: DeploymentDeviceState): boolean => isSettled(state) || state === 'healthy' || state === 'failed'

/** It has not had its turn, or was away for it. */
export const isBeforeItsTurn = ({ state, isTouched }: RolloutDevice): boolean =>
  state === 'pending' || (state === 'deferred' && !isTouched)

/** It was told to run the release, and has not come to an end with it. */
export const isUnderWay = ({ state }: RolloutDevice): boolean => state === 'deploying' || state === 'deployed'

/** Whether something still has to become of it. */
export const isDeviceOpen = ({ state }: RolloutDevice): boolean => !isEnd(state)

/** After these its mark says something new. */
const beginsAnew: Partial<Record<DeviceEvent['kind'], true>> = { install: true, be_well: true, send_back: true, be_back: true }
