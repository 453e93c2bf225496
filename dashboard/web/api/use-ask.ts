import { createContext } from 'preact'
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks'
import type { Outcome, WireError } from '../../../schemas/errors.ts'
import type { Ask } from './ask.ts'

export const AskContext = createContext<Ask | null>(null)

/** Asks the controller, as who is signed in. */
export const useApi = (): Ask => {
  const ask = useContext(AskContext)
  if (!ask) throw new Error('There is nobody to ask outside of the app')
  return ask
}

export interface Asked<T> {
  /** The last answer; kept while a newer one is on its way, and after a refusal. */
  data: T | undefined
  error: WireError | null
  isLoading: boolean
  refresh: () => void
}

/** What a GET answers. Asks again when the path is another or `refresh` is called; `null` asks for nothing. */
export const useAsk = <T>(path: string | null): Asked<T> => {
  const ask = useApi()
  const [state, setState] = useState<{ path: string | null; data: T | undefined; error: WireError | null }>({
    path: null,
    data: undefined,
    error: null,
  })
  const [isLoading, setIsLoading] = useState(path !== null)
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    if (path === null) return setIsLoading(false)
    const controller = new AbortController()
    setIsLoading(true)
    const load = async () => {
      const outcome = await ask<T>('GET', path, undefined, controller.signal)
      if (controller.signal.aborted) return
      setState((before) => ({
        path,
        data: outcome.ok ? outcome.output : before.data,
        error: outcome.ok ? null : outcome.error,
      }))
      setIsLoading(false)
    }
    void load()
    return () => controller.abort()
  }, [ask, path, turn])
  const refresh = useCallback(() => setTurn((before) => before + 1), [])
  return { data: state.data, error: state.error, isLoading, refresh }
}

export interface Action<A extends unknown[]> {
  run: (...args: A) => Promise<void>
  isBusy: boolean
  error: WireError | null
  clear: () => void
}

/** Something that is done at a press of a button: one at a time; a refusal stays until the next try. */
export const useAction = <A extends unknown[], T>(
  perform: (...args: A) => Promise<Outcome<T>>,
  done?: (output: T) => void,
): Action<A> => {
  const [isBusy, setIsBusy] = useState(false)
  const [error, setError] = useState<WireError | null>(null)
  const busy = useRef(false)
  const run = async (...args: A): Promise<void> => {
    if (busy.current) return
    busy.current = true
    setIsBusy(true)
    setError(null)
    const outcome = await perform(...args)
    busy.current = false
    setIsBusy(false)
    if (outcome.ok) done?.(outcome.output)
    else setError(outcome.error)
  }
  return { run, isBusy, error, clear: () => setError(null) }
}
