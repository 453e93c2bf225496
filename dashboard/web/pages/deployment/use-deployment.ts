import { useEffect, useRef, useState } from 'preact/hooks'
import type { DeploymentDevice } from '../../../../schemas/deployment.ts'
import type { WireError } from '../../../../schemas/errors.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { withQuery } from '../../api/ask.ts'
import { useApi } from '../../api/use-ask.ts'
import { isOver } from '../../deployments/words.ts'
import { startKeepUp } from '../../live/keep-up.ts'
import { useNews } from '../../live/use-live.ts'

export type Whole = OutputOf<'deployment.get'>

export interface ShownDeployment {
  deployment: Whole
  /** All of them, in the order of their batches. */
  devices: readonly DeploymentDevice[]
}

/** What takes longer to read is read less often. */
const restMs = (tookMs: number): number => Math.max(400, tookMs)
/** What a device says on its way is not always told: while it goes on, it is looked at again in any case. */
const whileGoingMs = 2_500

/** A deployment with all its devices, as they are now. */
export const useDeployment = (id: string) => {
  const ask = useApi()
  const [shown, setShown] = useState<ShownDeployment | null>(null)
  const [error, setError] = useState<WireError | null>(null)
  const ring = useRef<() => void>(() => undefined)

  useEffect(() => {
    const leaving = new AbortController()
    let isGoing = true
    setShown(null)
    setError(null)

    const read = async (): Promise<WireError | undefined> => {
      const devices: DeploymentDevice[] = []
      for (let cursor: string | undefined; ; ) {
        const path = withQuery(`/deployments/${encodeURIComponent(id)}`, { limit: 1000, cursor })
        const outcome = await ask<Whole>('GET', path, undefined, leaving.signal)
        if (leaving.signal.aborted) return undefined
        setError(outcome.ok ? null : outcome.error)
        if (!outcome.ok) return outcome.error
        const { output } = outcome
        devices.push(...output.device_list)
        if (output.cursor === null) {
          isGoing = !isOver(output.state)
          setShown({ deployment: output, devices })
          return undefined
        }
        cursor = output.cursor
      }
    }

    const { ring: rung, stop } = startKeepUp({
      ...{ read, restMs, onLoading: () => undefined },
      againAfterMs: () => (isGoing ? whileGoingMs : undefined),
    })
    ring.current = rung
    return () => {
      leaving.abort()
      stop()
    }
  }, [ask, id])

  useNews({ view: 'deployment', deployment_id: id }, () => ring.current())
  return { shown, error, refresh: () => ring.current() }
}
