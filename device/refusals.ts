import type { Clock, Timer } from '../base/clock.ts'

/** No more than one word a second, however much comes: what was recorded and is played again must not make a flood of answers. */
const tellEveryMs = 1000

export interface Refusal {
  verb: string
  reason: string
  id?: string | undefined
}

/** Answers why commands were not obeyed: each reason at once, then at most once a second with a count. */
export const createRefusals = (clock: Clock, tell: (refusal: Refusal & { count: number }) => void) => {
  const waiting = new Map<string, Refusal & { count: number }>()
  let timer: Timer | undefined
  const flush = (): void => {
    timer = waiting.size > 0 ? clock.after(tellEveryMs, flush) : undefined
    for (const one of waiting.values()) tell(one)
    waiting.clear()
  }
  return {
    note: (refusal: Refusal): void => {
      const key = `${refusal.verb} ${refusal.reason}`
      waiting.set(key, { ...refusal, count: (waiting.get(key)?.count ?? 0) + 1 })
      if (!timer) flush()
    },
    close: (): void => timer?.cancel(),
  }
}
