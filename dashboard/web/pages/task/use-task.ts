import { useEffect, useRef, useState } from 'preact/hooks'
import type { WireError } from '../../../../schemas/errors.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { HistoryEntry, Run, Task } from '../../../../schemas/task.ts'
import { withQuery } from '../../api/ask.ts'
import { useApi } from '../../api/use-ask.ts'
import { startKeepUp } from '../../live/keep-up.ts'
import { useNews } from '../../live/use-live.ts'

type Page = OutputOf<'task.get'>

export interface ShownTask {
  task: Task
  runs: readonly Run[]
  history: readonly HistoryEntry[]
  /** There are more runs than were asked for. */
  hasMore: boolean
}

/** It is asked for at most twice a second, however fast it changes. */
const againMs = 500
/** So many pages of a wide fan-out are read at once; the next ones when somebody wants them. */
const pagesAtOnce = 5

/** A task with its runs, as they are now. */
export const useTask = (taskId: string) => {
  const ask = useApi()
  const [pages, setPages] = useState<readonly Page[]>([])
  const [error, setError] = useState<WireError | null>(null)
  const [isLoading, setLoading] = useState(true)
  const wanted = useRef({ pages: pagesAtOnce, ring: (): void => undefined })

  useEffect(() => {
    let isLeft = false
    let hasRead = false
    setPages([])
    setError(null)
    const readAll = async (): Promise<WireError | undefined> => {
      let cursor: string | undefined
      for (let index = 0; index < wanted.current.pages; index++) {
        if (index > 0 && hasRead) await new Promise((resolve) => setTimeout(resolve, againMs))
        const outcome = await ask<Page>('GET', withQuery(`/tasks/${encodeURIComponent(taskId)}`, { cursor }))
        if (isLeft) return undefined
        setError(outcome.ok ? null : outcome.error)
        if (!outcome.ok) return outcome.error
        const { output } = outcome
        const isLast = output.cursor === null
        setPages((before) => [...before.slice(0, index), output, ...(isLast ? [] : before.slice(index + 1))])
        if (output.cursor === null) return undefined
        cursor = output.cursor
      }
      return undefined
    }
    const { ring, stop } = startKeepUp({
      read: async () => {
        const refusal = await readAll()
        hasRead = true
        return refusal
      },
      onLoading: setLoading,
      restMs: () => againMs,
    })
    wanted.current = { pages: pagesAtOnce, ring }
    return () => {
      isLeft = true
      stop()
    }
  }, [ask, taskId])

  useNews({ view: 'task', task_id: taskId }, () => wanted.current.ring())

  const [first] = pages
  const shown: ShownTask | null = first
    ? {
        task: first,
        runs: pages.flatMap((page) => page.runs),
        history: pages.flatMap((page) => page.history),
        hasMore: (pages.at(-1)?.cursor ?? null) !== null,
      }
    : null
  return {
    ...{ shown, error, isLoading },
    refresh: () => wanted.current.ring(),
    more: () => {
      wanted.current.pages += pagesAtOnce
      wanted.current.ring()
    },
  }
}
