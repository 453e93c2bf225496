import { useEffect, useState } from 'preact/hooks'
import type { WireError } from '../../../schemas/errors.ts'
import { useApi } from './use-ask.ts'

export interface Previewed<T> {
  preview: T | null
  error: WireError | null
  isLoading: boolean
}

/** So long somebody has to type nothing. */
const quietMs = 400

/**
 * What would become of something that is asked for by POST, whenever somebody has stopped typing. The last answer stays while the next one
 * is on its way; `null` asks for nothing.
 */
export const usePreview = <T>(path: string, asked: unknown): Previewed<T> => {
  const ask = useApi()
  const [shown, setShown] = useState<{ of: string; preview: T | null; error: WireError | null }>({
    ...{ of: '', preview: null, error: null },
  })
  const body = JSON.stringify(asked)
  useEffect(() => {
    if (body === 'null') return setShown({ of: body, preview: null, error: null })
    const leaving = new AbortController()
    const timer = setTimeout(async () => {
      const outcome = await ask<T>('POST', path, JSON.parse(body), leaving.signal)
      if (leaving.signal.aborted) return
      setShown({ of: body, preview: outcome.ok ? outcome.output : null, error: outcome.ok ? null : outcome.error })
    }, quietMs)
    return () => {
      clearTimeout(timer)
      leaving.abort()
    }
  }, [ask, path, body])
  return { preview: shown.preview, error: shown.error, isLoading: shown.of !== body }
}
