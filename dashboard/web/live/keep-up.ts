import type { WireError } from '../../../schemas/errors.ts'
import { waitBefore } from './backoff.ts'

export interface KeepUpDeps {
  /** Reads all of it; what it says is what it was refused with. */
  read: () => Promise<WireError | undefined>
  onLoading: (isLoading: boolean) => void
  /** How long nothing is read after a reading that took so long, however fast it changes. */
  restMs: (tookMs: number) => number
  /** It is read again after so long without a ring; undefined for never. */
  againAfterMs?: () => number | undefined
}

/** Reads something at once, again whenever it is rung that it has changed, and again by itself after a failure: one reading at a time. */
export const startKeepUp = ({ read, onLoading, restMs, againAfterMs }: KeepUpDeps): { ring: () => void; stop: () => void } => {
  let isStopped = false
  let isRung = true
  let failures = 0
  let wake: () => void = () => undefined

  /** Until it is rung, or it is time to look again by itself. */
  const rung = async (): Promise<void> => {
    if (isRung || isStopped) return
    const waitMs = failures > 0 ? waitBefore(failures, Math.random()) : againAfterMs?.()
    let timer: ReturnType<typeof setTimeout> | undefined
    await new Promise<void>((resolve) => {
      wake = resolve
      if (waitMs !== undefined) timer = setTimeout(resolve, waitMs)
    })
    clearTimeout(timer)
  }

  const keepUp = async (): Promise<void> => {
    for (;;) {
      await rung()
      if (isStopped) return
      isRung = false
      onLoading(true)
      const begunAt = performance.now()
      const refusal = await read()
      if (isStopped) return
      failures = refusal?.retryable ? failures + 1 : 0
      onLoading(false)
      const ms = restMs(performance.now() - begunAt)
      await new Promise((resolve) => setTimeout(resolve, ms))
    }
  }

  void keepUp()
  return {
    ring: () => {
      isRung = true
      wake()
    },
    stop: () => {
      isStopped = true
      wake()
    },
  }
}
