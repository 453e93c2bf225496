import { advance } from '../../controller/core/rollout/advance.ts'
import { beginRollout } from '../../controller/core/rollout/begin.ts'
import { nextLookAt } from '../../controller/core/rollout/next-look.ts'
import { order, type RolloutOrder } from '../../controller/core/rollout/order.ts'
import type { DeviceFacts, Rollout, RolloutDevice } from '../../controller/core/rollout/rollout.ts'
import { Strategy } from '../../schemas/deployment.ts'
import type { ReleaseState, ReportedRelease } from '../../schemas/desired.ts'

type Facts = { -readonly [K in keyof DeviceFacts]: DeviceFacts[K] }
export type StrategyInput = Parameters<typeof Strategy.parse>[0] & object

/** A rollout of `new` over devices named by letters, that is played by hand: what they say, who is there, what time it is in seconds. */
export const playRollout = (names: string, strategy: StrategyInput = {}, begin: { away?: string; hasIt?: string } = {}) => {
  const facts = new Map<string, Facts>()
  for (const name of names)
    facts.set(name, {
      isMember: true,
      isConnected: !begin.away?.includes(name),
      labels: {},
      reported: null,
      isInformed: false,
      supersededBy: null,
      previousDigest: undefined,
      blockedBy: null,
    })
  const of = (name: string): Facts => {
    const one = facts.get(name)
    if (!one) throw new Error(`no device ${name}`)
    return one
  }
  const each = (list: string, change: (one: Facts) => void): void => [...list].map(of).forEach(change)
  const report = (state: ReleaseState, active: string | null, wanted: [string, string] | null, reason: string | null) =>
    ({
      name: 'app',
      active: active === null ? null : { version: active, digest: active },
      wanted: wanted && { version: wanted[0], digest: wanted[0], deployment: wanted[1] },
      state,
      reason,
      since: '2026-01-01T00:00:00.000Z',
    }) satisfies ReportedRelease

  let seconds = 0
  let rollout: Rollout = beginRollout(
    [...names].map((device) => ({
      device,
      labels: {},
      isConnected: of(device).isConnected,
      hasIt: begin.hasIt?.includes(device) ?? false,
    })),
    Strategy.parse(strategy),
    'd1',
    'new',
    0,
  )
  const play = {
    get rollout() {
      return rollout
    },
    of,
    /** What is to be done now, as `+a` for an install and `-a` for a restore. What was installed had `old` before. */
    look: (at = seconds): string => {
      seconds = at
      const { rollout: next, effects } = advance(rollout, of, at * 1000)
      rollout = next
      for (const { kind, device } of effects) {
        if (kind === 'install') of(device).previousDigest ??= 'old'
        of(device).isInformed = false
      }
      const again = advance(next, of, at * 1000)
      if (again.rollout !== next || again.effects.length > 0) throw new Error('a second look changes something')
      return effects.map(({ kind, device }) => (kind === 'install' ? '+' : '-') + device).join(' ')
    },
    /** These say how far they are with the release. */
    say: (list: string, state: ReleaseState, reason: string | null = null): void =>
      each(list, (one) => {
        const runs = ['settling', 'healthy', 'unhealthy'].includes(state) || (state === 'failed' && reason !== 'damaged')
        one.reported = report(state, runs ? 'new' : 'old', ['new', 'd1'], reason)
        one.isInformed = true
      }),
    /** These say how far they are with what they had before. */
    sayBack: (list: string, state: ReleaseState, reason: string | null = null): void =>
      each(list, (one) => {
        one.reported = report(state, state === 'healthy' ? 'old' : 'new', ['old', 'd1-back'], reason)
        one.isInformed = true
      }),
    go: (list: string): void => each(list, (one) => (one.isConnected = false)),
    back: (list: string): void => each(list, (one) => (one.isConnected = true)),
    order: (what: RolloutOrder): string => {
      const outcome = order(rollout, what, 'ann', seconds * 1000)
      if (!outcome.ok) return outcome.reason
      rollout = outcome.rollout
      return rollout.state
    },
    /** Makes these healthy at once. */
    heal: (list: string, at?: number): string => {
      play.say(list, 'healthy')
      return play.look(at)
    },
    device: (name: string): RolloutDevice => {
      const one = rollout.devices.find(({ device }) => device === name)
      if (!one) throw new Error(`no device ${name}`)
      return one
    },
    /** The states of all, as in `a healthy, b pending`. */
    get states(): string {
      return [...rollout.devices]
        .sort((a, b) => (a.device < b.device ? -1 : 1))
        .map(({ device, state }) => `${device} ${state}`)
        .join(', ')
    },
    /** In how many seconds time alone may change something. */
    get nextLook(): number | null {
      const at = nextLookAt(rollout, seconds * 1000)
      return at === null ? null : at / 1000
    },
  }
  return play
}
