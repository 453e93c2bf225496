import { useEffect, useRef, useState } from 'preact/hooks'
import type { WireError } from '../../../../schemas/errors.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { Task } from '../../../../schemas/task.ts'
import { useApi } from '../../api/use-ask.ts'
import { useNews } from '../../live/use-live.ts'
import { type Filters, pathOf } from './task-query.ts'
import { hasUnknown, withChanges, withFirstPage } from './task-rows.ts'

interface Shown {
  rows: readonly Task[]
  /** New ones that are not shown yet, because the rows would move away under somebody who reads them. */
  fresh: readonly Task[]
  cursor: string | null
  pages: number
}

/** The first page is read again at most so often. */
const againMs = 1500

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
  const current = useRef(key)
  current.current = key

  const load = async (how: 'anew' | 'again' | 'more'): Promise<void> => {
    const cursor = how === 'more' ? latest.current?.cursor : undefined
    if (how !== 'again') setLoading(true)
    const outcome = await ask<OutputOf<'task.list'>>('GET', pathOf(filters, Date.now(), cursor ?? undefined))
    if (current.current !== key) return
    if (how !== 'again') setLoading(false)
    setError(outcome.ok ? null : outcome.error)
    if (!outcome.ok) return
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

  useEffect(() => {
    setShown(null)
    clearTimeout(timer.current)
    timer.current = undefined
    void load('anew')
    return () => clearTimeout(timer.current)
  }, [ask, key])

  const soon = (): void => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined
      void load('again')
    }, againMs)
  }
  useNews({ view: 'tasks' }, (change) => {
    const { current: before } = latest
    if (change === null) return before ? soon() : undefined
    if (!before) return
    setShown((shown) => shown && { ...shown, rows: withChanges(shown.rows, change, new Date().toISOString()) })
    if (hasUnknown(before.rows, change) || before.pages === 1) soon()
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
