import type { Clock } from '../../base/clock.ts'

/** A stream of pseudo-random numbers from a seed (mulberry32): the same seed gives the same world. */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface Event {
  at: number
  order: number
  call: () => void
  isCancelled: boolean
}

/** Simulated time: a queue of events. Nothing happens but by them. */
export const createTime = () => {
  const heap: Event[] = []
  let at = 0
  let order = 0

  const less = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
  const push = (event: Event): void => {
    heap.push(event)
    let i = heap.length - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent]
      if (!above || !less(event, above)) break
      heap[i] = above
      i = parent
    }
    heap[i] = event
  }
  const pop = (): Event | undefined => {
    const top = heap[0]
    const last = heap.pop()
    if (!top || !last || heap.length === 0) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      const right = heap[child + 1]
      const left = heap[child]
      if (!left) break
      if (right && less(right, left)) child++
      const smaller = heap[child]
      if (!smaller || !less(smaller, last)) break
      heap[i] = smaller
      i = child
    }
    heap[i] = last
    return top
  }

  return {
    now: (): number => at,
    schedule: (ms: number, call: () => void): Event => {
      const event = { at: at + Math.max(0, ms), order: order++, call, isCancelled: false }
      push(event)
      return event
    },
    /** Runs the next event; false when there is none before `until`. */
    step: (until: number): boolean => {
      for (;;) {
        const next = heap[0]
        if (!next || next.at > until) {
          at = Math.max(at, until)
          return false
        }
        pop()
        if (next.isCancelled) continue
        at = next.at
        next.call()
        return true
      }
    },
  }
}
export type Time = ReturnType<typeof createTime>

/** The clock of one incarnation of one part: its wall clock may be wrong, and when the part is dead nothing of it happens any more. */
export const clockOf = (time: Time, life: { isDead: boolean; wallOffsetMs: number }): Clock => ({
  now: () => Math.floor(1_700_000_000_000 + time.now() + life.wallOffsetMs),
  mono: () => Math.floor(10_000_000 + time.now()),
  after: (ms, call) => {
    const event = time.schedule(ms, () => {
      if (!life.isDead) call()
    })
    return {
      cancel: () => {
        event.isCancelled = true
      },
    }
  },
  soon: (call) => {
    time.schedule(0, () => {
      if (!life.isDead) call()
    })
  },
})
