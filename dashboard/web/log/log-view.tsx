import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { plural } from '../format/amounts.ts'
import { Button } from '../parts/button.tsx'
import { writeClipboard } from '../parts/clipboard.ts'
import { Fault } from '../parts/fault.tsx'
import { useToast } from '../parts/toast.tsx'
import { useKept } from '../shell/kept.ts'
import { type Chosen, chosenIn, hashOf } from './chosen.ts'
import { copiedText } from './line-pieces.ts'
import { LogFind } from './log-find.tsx'
import { LogTools } from './log-tools.tsx'
import { LogViewport, type ViewportHandle } from './log-viewport.tsx'
import type { FollowedLog } from './use-log.ts'
import { useSearch } from './use-search.ts'
import './log.css'

interface LogViewProps {
  log: FollowedLog
  label: string
  /** Where all of it is to be had as a file. */
  download: string
  /** What is said while there is no line. */
  empty: ComponentChildren
}

/** So many lines are copied at most. */
const mostCopied = 100_000

/** A log, live: to be read, searched, followed, copied and kept. */
export const LogView = ({ log, label, download, empty }: LogViewProps) => {
  const { store, version, standing, error } = log
  const toast = useToast()
  const [wrap, setWrap] = useKept('log-wrap', ['on', 'off'])
  const [times, setTimes] = useKept('log-times', ['off', 'relative', 'exact'])
  const [isFollowing, setFollowing] = useState(true)
  const [chosen, setChosen] = useState<Chosen | null>(() => chosenIn(location.hash))
  const [current, setCurrent] = useState<number | null>(null)
  const [seenEnd, setSeenEnd] = useState(0)
  const handle = useRef<ViewportHandle>(null)
  /** A line that one wants to be led to, and that may not have come yet. */
  const awaited = useRef<number | null>(chosen?.from ?? null)
  const find = useSearch(log)
  const isQuiet = useQuiet(store.end())

  useEffect(() => {
    const line = awaited.current
    if (line === null || (store.end() <= line && standing === 'catching-up')) return
    awaited.current = null
    handle.current?.goTo(line)
  }, [version, standing])

  const choose = (next: Chosen): void => {
    setChosen(next)
    try {
      history.replaceState(null, '', hashOf(next))
    } catch {
      // Some browsers allow only so many in half a minute: then the address is behind for a moment.
    }
  }
  const lead = (line: number): void => {
    choose({ from: line, to: line })
    handle.current?.goTo(line)
  }
  useEffect(() => {
    const onHash = (): void => {
      const next = chosenIn(location.hash)
      if (!next) return
      setChosen(next)
      handle.current?.goTo(next.from)
    }
    addEventListener('hashchange', onHash)
    return () => removeEventListener('hashchange', onHash)
  }, [])

  const follow = (isOn: boolean): void => {
    setFollowing(isOn)
    setSeenEnd(store.end())
  }
  const goToFound = (line: number | undefined): void => {
    if (line === undefined) return
    setCurrent(line)
    handle.current?.goTo(line)
  }
  const next = (): void => goToFound(find.search?.after(current ?? (handle.current?.top() ?? 0) - 1))
  const previous = (): void => goToFound(find.search?.before(current ?? handle.current?.top() ?? 0))
  useEffect(() => setCurrent(null), [find.search])
  const found = find.search?.count() ?? 0
  useEffect(() => {
    if (found > 0 && current === null) next()
  }, [found > 0, find.search])

  const copy = (): boolean => {
    if (!chosen) return false
    const from = Math.max(store.first(), Math.min(chosen.from, chosen.to))
    const to = Math.min(store.end() - 1, Math.max(chosen.from, chosen.to), from + mostCopied - 1)
    const texts: string[] = []
    for (let index = from; index <= to; index++) texts.push(store.line(index)?.text ?? '')
    void writeClipboard(copiedText(texts)).then((isCopied) =>
      toast(isCopied ? 'good' : 'bad', isCopied ? `${plural(texts.length, 'line')} copied` : 'This browser does not let us copy'),
    )
    return true
  }

  const isEmpty = store.end() === store.first()
  const newLines = isFollowing ? 0 : store.end() - Math.max(seenEnd, store.first())
  return (
    <section class="log" aria-label={label}>
      <div class="log-head">
        <LogFind find={find} current={current} onNext={next} onPrevious={previous} />
        <LogTools
          {...{ standing, isFollowing, times, download }}
          isWrapped={wrap === 'on'}
          lines={store.end()}
          chosen={chosen === null ? 0 : Math.abs(chosen.to - chosen.from) + 1}
          onFollow={follow}
          onWrap={(isWrapped) => setWrap(isWrapped ? 'on' : 'off')}
          onTimes={setTimes}
          onLine={lead}
          onCopy={copy}
        />
      </div>
      {error && <Fault error={error} />}
      {(log.isCut || store.first() > 0) && (
        <p class="log-note">
          {log.isCut ? 'Older lines' : `The first ${plural(store.first(), 'line')}`} are not shown here. The download has all that
          is kept.
        </p>
      )}
      <div class="log-frame">
        <LogViewport
          {...{ store, label, times, chosen, current, isFollowing, isQuiet, handle }}
          start={log.startedAt}
          isWrapped={wrap === 'on'}
          wanted={find.wanted}
          onFollow={follow}
          onChoose={(line, isMore) => choose({ from: isMore && chosen ? chosen.from : line, to: line })}
          onCopy={copy}
        />
        {isEmpty && !error && <div class="log-empty">{standing === 'catching-up' ? 'Reading the log…' : empty}</div>}
        {newLines > 0 && (
          <div class="log-newest">
            <Button kind="primary" small icon="down" onClick={() => follow(true)}>
              {plural(newLines, 'new line')}
            </Button>
          </div>
        )}
      </div>
    </section>
  )
}

/** Whether so few lines come that they can be read out. */
const useQuiet = (end: number): boolean => {
  const [isQuiet, setQuiet] = useState(false)
  const latest = useRef(end)
  latest.current = end
  useEffect(() => {
    let before = latest.current
    const timer = setInterval(() => {
      setQuiet(latest.current - before <= 5)
      before = latest.current
    }, 1000)
    return () => clearInterval(timer)
  }, [])
  return isQuiet
}
