import type { BrowserMessage, ServerMessage, View } from '../../../schemas/dashboard.ts'
import type { Outcome, WireError } from '../../../schemas/errors.ts'
import type { LogRecord } from '../../../schemas/log.ts'
import { type StateView, shownFirst, shownNext } from './merge.ts'

/** What a view shows at this moment. `data` is kept while the connection is away; `isLive` says whether it can be trusted. */
export interface Shown {
  data: unknown
  isLive: boolean
  error: WireError | null
}
/** What is new: everything may be another (`all`), this has changed, or only `isLive` or `error` have. */
export type News = { kind: 'all' } | { kind: 'change'; data: unknown } | { kind: 'other' }
type Listener = (shown: Shown, news: News) => void

export type RecordsView = Exclude<View, StateView>
/** Who follows a log or events. */
export interface Follower {
  onRecords(records: readonly LogRecord[], about: { live: boolean; complete: boolean }): void
  /** What was shown so far is void. */
  onAnew(): void
  /** Whether all that there is has been shown; false while records are on their way, and while the connection is away. */
  onLive(isLive: boolean): void
  onWrong?(error: WireError): void
}

interface StateLook {
  id: number
  view: StateView
  shown: Shown
  listeners: Set<Listener>
}
interface RecordsLook {
  id: number
  view: RecordsView
  follower: Follower
}

/** How many views that nobody looks at any more are remembered, so that going back shows them at once. */
const keptViews = 6

/** Keeps what this tab looks at. Two that look at the same share one; after a new connection everything is looked at again. */
export const createLooks = (send: (message: BrowserMessage) => void) => {
  let lastId = 0
  const states = new Map<string, StateLook>()
  const byId = new Map<number, StateLook>()
  const records = new Map<number, RecordsLook>()
  const kept = new Map<string, unknown>()
  const questions = new Map<number, (answer: Outcome<readonly number[]>) => void>()

  const tell = (look: StateLook, shown: Partial<Shown>, news: News): void => {
    look.shown = { ...look.shown, ...shown }
    for (const listener of [...look.listeners]) listener(look.shown, news)
  }

  const look = (view: StateView, listener: Listener): (() => void) => {
    const key = JSON.stringify(view)
    let mine = states.get(key)
    if (!mine) {
      mine = { id: ++lastId, view, shown: { data: kept.get(key), isLive: false, error: null }, listeners: new Set() }
      states.set(key, mine)
      byId.set(mine.id, mine)
      send({ kind: 'look', id: mine.id, at: view })
    }
    const { id, listeners } = mine
    listeners.add(listener)
    listener(mine.shown, { kind: 'other' })
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return
      const gone = byId.get(id)
      states.delete(key)
      byId.delete(id)
      send({ kind: 'leave', id })
      kept.delete(key)
      kept.set(key, gone?.shown.data)
      for (const oldest of [...kept.keys()].slice(0, -keptViews)) kept.delete(oldest)
    }
  }

  const follow = (view: RecordsView, follower: Follower): (() => void) => {
    const mine: RecordsLook = { id: ++lastId, view, follower }
    records.set(mine.id, mine)
    send({ kind: 'look', id: mine.id, at: view })
    return () => {
      if (records.delete(mine.id)) send({ kind: 'leave', id: mine.id })
    }
  }

  const match = (selector: string): Promise<Outcome<readonly number[]>> =>
    new Promise((resolve) => {
      const id = ++lastId
      questions.set(id, resolve)
      send({ kind: 'match', id, selector })
    })

  const answer = (id: number, outcome: Outcome<readonly number[]>): boolean => {
    const resolve = questions.get(id)
    questions.delete(id)
    resolve?.(outcome)
    return resolve !== undefined
  }

  const wrong = (id: number | null, error: WireError): void => {
    if (id === null || answer(id, { ok: false, error })) return
    const state = byId.get(id)
    if (state) tell(state, { error }, { kind: 'other' })
    records.get(id)?.follower.onWrong?.(error)
  }

  const take = (message: ServerMessage): void => {
    switch (message.kind) {
      case 'show': {
        const state = byId.get(message.id)
        if (!state) return
        const data = shownFirst(state.view.view, message.data)
        return tell(state, { data, isLive: true, error: null }, { kind: 'all' })
      }
      case 'change': {
        const state = byId.get(message.id)
        // A change before the first picture belongs to what was left already.
        if (!state?.shown.isLive) return
        const data = shownNext(state.view.view, state.shown.data, message.data, message.at)
        return tell(state, { data }, { kind: 'change', data: message.data })
      }
      case 'records': {
        const mine = records.get(message.id)
        if (!mine) return
        mine.view = { ...mine.view, after: message.next }
        mine.follower.onRecords(message.records, { live: message.live, complete: message.complete })
        return mine.follower.onLive(message.live)
      }
      case 'anew': {
        const mine = records.get(message.id)
        if (!mine) return
        mine.view = { ...mine.view, after: 0 }
        return mine.follower.onAnew()
      }
      case 'matches':
        return void answer(message.id, { ok: true, output: message.devices })
      case 'wrong':
        return wrong(message.id, message.error)
      case 'welcome':
      case 'bar':
      case 'bye':
        return
    }
  }

  /** There is a connection: everything is looked at again, logs from where they were. */
  const opened = (): void => {
    for (const { id, view } of [...byId.values(), ...records.values()]) send({ kind: 'look', id, at: view })
  }

  /** There is no connection any more. */
  const lost = (): void => {
    for (const state of byId.values()) tell(state, { isLive: false }, { kind: 'other' })
    for (const { follower } of records.values()) follower.onLive(false)
    const error = { code: 'unavailable', message: 'The connection was lost', retryable: true }
    for (const id of [...questions.keys()]) answer(id, { ok: false, error })
  }

  return { look, follow, match, take, opened, lost }
}
