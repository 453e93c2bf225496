import { useEffect, useRef, useState } from 'preact/hooks'
import type { Outcome, WireError } from '../../../../schemas/errors.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { Task } from '../../../../schemas/task.ts'
import { useApi } from '../../api/use-ask.ts'
import { useAheadMs } from '../../live/use-ahead.ts'
import { useNews } from '../../live/use-live.ts'
import { type Filters, pathOf } from './task-query.ts'
import { hasUnknown, lackStart, withChanges, withFirstPage } from './task-rows.ts'

interface Shown {
  rows: readonly Task[]
  /** New ones that are not shown yet, because the rows would move away under somebody who reads them. */
  fresh: readonly Task[]
  cursor: string | null
  pages: number
}

/** The first page is read again at most so often. */
const againMs = 1500

/** What is going on with the tasks of some filters; others have another one. */
const begun = () => ({
  /** How many answers are on their way. */
  awaited: 0,
  /** Something has changed since they were asked for: they may not know of it. */
  hasNews: false,
  /** Rows to be read again, wherever they stand. */
  lacking: new Set<string>(),
})

/** Tasks that fit, newest first, page by page, as they are now. */
export const useTasks = (filters: Filters) => {
  const ask = useApi()
  const [shown, setShown] = useState<Shown | null>(null)
  const [error, setError] = useState<WireError | null>(null)
  const [isLoading, setLoading] = useState(false)
  const latest = useRef(shown)
  latest.current = shown
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const key = JSON.stringify(filters)
  const current = useRef(begun())
  const aheadMs = useRef(0)
  aheadMs.current = useAheadMs()
  const now = (): number => Date.now() + aheadMs.current

  const load = async (how: 'anew' | 'again' | 'more'): Promise<void> => {
    const { current: mine } = current
    const { lacking } = mine
    if (how !== 'more') mine.lacking = new Set()
    if (how !== 'again') setLoading(true)
    mine.awaited++
    const outcome = await read(how, lacking)
    if (current.current !== mine) return
    mine.awaited--
    if (how !== 'again') setLoading(false)
    setError(outcome.ok ? null : outcome.error)
    if (mine.hasNews) {
      mine.hasNews = false
      soon()
    }
    if (!outcome.ok) {
      for (const id of lacking) mine.lacking.add(id)
      return
    }
    const { tasks, cursor: next } = outcome.output
    setShown((before) => {
      if (!before || how === 'anew') return { rows: tasks, fresh: [], cursor: next, pages: 1 }
      if (how === 'more') return { ...before, rows: [...before.rows, ...tasks], cursor: next, pages: before.pages + 1 }
      const { rows, fresh } = withFirstPage(before.rows, tasks)
      const isAtTop = before.pages === 1 && scrollY < 120
      if (isAtTop) return { rows: tasks, fresh: [], cursor: next, pages: 1 }
      return { ...before, rows, fresh }
    })
  }

  /** Reads one page; again, as many of those that are shown as it takes to find the rows that lack something. */
  const read = async (how: 'anew' | 'again' | 'more', lacking: ReadonlySet<string>): Promise<Outcome<OutputOf<'task.list'>>> => {
    const { current: before } = latest
    const tasks: Task[] = []
    let cursor = how === 'more' ? before?.cursor : undefined
    for (let page = 1; ; page++) {
      const outcome = await ask<OutputOf<'task.list'>>('GET', pathOf(filters, now(), cursor ?? undefined))
      if (!outcome.ok) return outcome
      tasks.push(...outcome.output.tasks)
      cursor = outcome.output.cursor
      const found = new Set<string>(tasks.map((task) => task.task_id))
      const isEnough = how !== 'again' || page >= (before?.pages ?? 1) || [...lacking].every((id) => found.has(id))
      if (isEnough || cursor === null) return { ok: true, output: { ...outcome.output, tasks } }
    }
  }

  useEffect(() => {
    current.current = begun()
    setShown(null)
    clearTimeout(timer.current)
    timer.current = undefined
    void load('anew')
    return () => {
      current.current = begun()
      clearTimeout(timer.current)
    }
  }, [ask, key])

  const soon = (): void => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined
      void load(latest.current ? 'again' : 'anew')
    }, againMs)
  }
  useNews({ view: 'tasks' }, (change) => {
    const { current: before } = latest
    const { current: mine } = current
    if (mine.awaited > 0) mine.hasNews = true
    else if (!before) soon()
    if (!before) return
    if (change === null) return soon()
    for (const id of lackStart(before.rows, change)) mine.lacking.add(id)
    setShown((shown) => shown && { ...shown, rows: withChanges(shown.rows, change, new Date(now()).toISOString()) })
    if (hasUnknown(before.rows, change) || before.pages === 1 || mine.lacking.size > 0) soon()
  })

  return {
    ...{ rows: shown?.rows, fresh: shown?.fresh.length ?? 0, hasMore: (shown?.cursor ?? null) !== null, isLoading, error },
    more: () => void load('more'),
    /** From the newest on. */
    anew: () => {
      scrollTo({ top: 0 })
      void load('anew')
    },
  }
}
