import { useEffect, useState } from 'preact/hooks'
import { durationText } from '../format/amounts.ts'
import { exactTime, msOf, relativeTime } from '../format/relative-time.ts'
import { useAheadMs } from '../live/use-ahead.ts'

const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

/** One timer for everything on the page that grows old. */
const everySecond = (listener: () => void): (() => void) => {
  listeners.add(listener)
  timer ??= setInterval(() => {
    for (const one of [...listeners]) one()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/** A text that is made anew each second, by the server's clock, and shown anew when it is another. */
export const useTicking = (textAt: (now: number) => string): string => {
  const aheadMs = useAheadMs()
  const [, setText] = useState('')
  const text = textAt(Date.now() + aheadMs)
  useEffect(() => everySecond(() => setText(textAt(Date.now() + aheadMs))))
  return text
}

/** An instant: how long ago, and exactly in the title. `none` stands for none. */
export const Time = ({ at, none = '–' }: { at: string | number | null | undefined; none?: string }) => {
  const ms = msOf(at)
  const text = useTicking((now) => (ms === null ? none : relativeTime(ms, now)))
  if (ms === null) return <span class={none === '–' ? 'muted none' : 'muted'}>{none}</span>
  return (
    <time dateTime={new Date(ms).toISOString()} title={exactTime(ms)}>
      {text}
    </time>
  )
}

interface SinceProps {
  from: string | number | null | undefined
  /** Without it, it goes on. */
  to?: string | number | null | undefined
}

/** How long something took, or takes until now. */
export const Since = ({ from, to }: SinceProps) => {
  const start = msOf(from)
  const end = msOf(to)
  const text = useTicking((now) => {
    if (start === null) return '–'
    // Whole seconds while it goes on: tenths would only flicker.
    return durationText(end === null ? Math.max(0, Math.round((now - start) / 1000)) : (end - start) / 1000)
  })
  return <span class={start === null ? 'number none' : 'number'}>{text}</span>
}
