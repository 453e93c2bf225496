import type { Bus } from '../base/bus.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { instant } from '../schemas/ids.ts'
import { topicOf } from '../schemas/topics.ts'

export interface HeartbeatDeps {
  fleet: string
  device: string
  bus: Bus
  clock: Clock
  session: () => number
  /** Runs that it names. */
  running: () => string[]
  /** Whether a run is to be ended by the device itself if it is given up: then the controller is to answer. */
  wantsAnswer: () => boolean
  metrics: () => Record<string, unknown>
  /** Why nothing new is taken; undefined if it is. */
  refuses: () => string | undefined
  /** How far the wall clock is from the controller's, in milliseconds; null before that is known. */
  clockOffsetMs: () => number | null
}

/** Says that the device is there, and how it is, as often as the controller wants it. */
export const createHeartbeat = ({ fleet, device, bus, clock, ...deps }: HeartbeatDeps) => {
  let timer: Timer | undefined
  let everyMs = 30_000
  let isClosed = false

  const beat = (): void => {
    timer?.cancel()
    if (isClosed) return
    timer = clock.after(everyMs, beat)
    if (!bus.isConnected()) return
    const heartbeat = {
      session: deps.session(),
      at: instant(clock.now()),
      mono_ms: clock.mono(),
      running: deps.running(),
      ...(deps.wantsAnswer() ? { answer: true } : {}),
      refuses: deps.refuses(),
      metrics: { ...deps.metrics(), clock_offset_ms: deps.clockOffsetMs() },
    }
    bus.publish(topicOf(fleet, 'deviceHeartbeat', { device }), JSON.stringify(heartbeat), { qos: 0 })
  }

  return {
    /** Beats now, and from now on so often. */
    beatEvery: (ms: number): void => {
      everyMs = ms
      beat()
    },
    /** Something in it is different: that does not wait for its turn. */
    beat,
    close: (): void => {
      isClosed = true
      timer?.cancel()
    },
  }
}
