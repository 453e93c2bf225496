import { createContext } from 'preact'
import { useContext, useEffect, useRef, useState } from 'preact/hooks'
import type { WireError } from '../../../schemas/errors.ts'
import type { Live, Standing } from './live.ts'
import type { News, Shown } from './looks.ts'
import type { LiveData, StateView } from './merge.ts'

export const LiveContext = createContext<Live | null>(null)

/** The live picture, to follow a log with or to ask which devices a selector matches. */
export const useLivePicture = (): Live => {
  const live = useContext(LiveContext)
  if (!live) throw new Error('There is no live picture outside of the shell')
  return live
}

export interface LiveShown<T> {
  /** Undefined until it has come once; kept while the connection is away. */
  data: T | undefined
  isLive: boolean
  error: WireError | null
}

/** What a view shows, as it changes. */
export const useLive = <K extends StateView['view']>(view: Extract<StateView, { view: K }>): LiveShown<LiveData[K]> => {
  const live = useLivePicture()
  const [shown, setShown] = useState<Shown>({ data: undefined, isLive: false, error: null })
  useEffect(() => live.look(view, setShown), [live, JSON.stringify(view)])
  return shown as LiveShown<LiveData[K]> // the data of a view is that of its kind
}

/** Calls back for each change of a view, and with `null` when everything may be another: at first and after a new connection. */
export const useNews = <K extends StateView['view']>(
  view: Extract<StateView, { view: K }>,
  onNews: (change: NonNullable<LiveData[K]> | null) => void,
): void => {
  const live = useLivePicture()
  const latest = useRef(onNews)
  latest.current = onNews
  const listen = (_: Shown, news: News): void => {
    if (news.kind === 'all') latest.current(null)
    if (news.kind === 'change') latest.current(news.data as NonNullable<LiveData[K]>) // the change of a view is that of its kind
  }
  useEffect(() => live.look(view, listen), [live, JSON.stringify(view)])
}

/** How the live picture stands: connection, broker and controller, counts for the navigation. */
export const useStanding = (): Standing => {
  const live = useLivePicture()
  const [standing, setStanding] = useState(live.standing)
  useEffect(() => {
    setStanding(live.standing())
    return live.watch(setStanding)
  }, [live])
  return standing
}
