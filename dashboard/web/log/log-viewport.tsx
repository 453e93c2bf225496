import type { RefObject } from 'preact'
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks'
import {
  type Anchor,
  anchorAt,
  type Extent,
  heightOfAll,
  heightOfText,
  rowHeight,
  rowsAround,
  scrollTopOf,
  spaceOf,
} from './anchor.ts'
import { styleBefore } from './ansi.ts'
import { LogRow, type Times } from './log-row.tsx'
import type { LogStore } from './log-store.ts'

/** What is around a viewport can lead to a line. */
export interface ViewportHandle {
  /** Shows a line, with some of those before it. */
  goTo: (line: number) => void
  /** The first line in sight. */
  top: () => number
  focus: () => void
}

interface LogViewportProps {
  store: LogStore
  label: string
  start: number
  times: Times
  isWrapped: boolean
  wanted: RegExp | null
  chosen: { from: number; to: number } | null
  current: number | null
  isFollowing: boolean
  /** Few lines come: they may be read out. */
  isQuiet: boolean
  onFollow: (isFollowing: boolean) => void
  onChoose: (line: number, isMore: boolean) => void
  onCopy: () => boolean
  handle: RefObject<ViewportHandle | null>
}

/**
 * The part of a log that is in sight. Of all lines only those rows are made. The scrollbar stands for all lines, as far as browsers
 * allow; what is shown hangs on an anchor, so that wrapped lines of any height stay where they are.
 */
export const LogViewport = (props: LogViewportProps) => {
  const { store, times, isWrapped, isFollowing, chosen, onFollow } = props
  const box = useRef<HTMLDivElement>(null)
  const rows = useRef<HTMLDivElement>(null)
  const probe = useRef<HTMLSpanElement>(null)
  const [size, setSize] = useState({ height: 0, columns: 80 })
  const [, redraw] = useReducer<number, void>((turn) => turn + 1, 0)
  const state = useRef({
    anchor: { line: 0, y: 0 } as Anchor,
    scrollTop: 0,
    width: 0,
    more: 0,
    isAtEnd: true,
    mustSync: true,
    idle: 0,
  })
  const here = state.current

  const extent: Extent = { first: store.first(), end: store.end() }
  if (here.anchor.line < extent.first) here.anchor = { line: extent.first, y: 0 }
  const heightOf = (line: number): number =>
    isWrapped ? heightOfText(store.line(line)?.text.length ?? 0, size.columns) : rowHeight
  const shown = rowsAround(isFollowing ? 'end' : here.anchor, extent, size.height, heightOf, here.more)
  const total = isWrapped ? heightOfAll(extent, store.chars(), size.columns, heightOf) : (extent.end - extent.first) * rowHeight
  /** The scrollbar moves pixel by pixel with the lines. */
  const isExact = !isWrapped && spaceOf(total) === total

  useEffect(() => {
    const element = box.current
    if (!element) return
    const measure = () => {
      const char = (probe.current?.offsetWidth ?? 80) / 10
      const room = element.clientWidth - (probe.current?.parentElement?.offsetWidth ?? 0) + (probe.current?.offsetWidth ?? 0)
      setSize({ height: element.clientHeight, columns: Math.max(10, Math.floor(room / char)) })
    }
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  useLayoutEffect(() => {
    const [element, list] = [box.current, rows.current]
    if (!element || !list || size.height === 0) return
    const children = [...list.children] as HTMLElement[] // rows are elements of HTML
    const height = list.offsetHeight
    let shift = list.offsetTop
    if (!isFollowing) {
      shift = here.anchor.y - (children[here.anchor.line - shown.first]?.offsetTop ?? 0)
      if (shown.end === extent.end) shift = Math.max(shift, size.height - height)
      if (shown.first === extent.first) shift = Math.min(shift, 0)
      list.style.transform = `translateY(${shift}px)`
    } else list.style.transform = ''
    const isShort = (shown.first > extent.first && shift > 0) || (shown.end < extent.end && shift + height < size.height)
    here.more = isShort ? here.more * 2 + 8 : 0
    if (isShort && here.more < 10_000) redraw()
    const top = children.findIndex((row) => row.offsetTop + row.offsetHeight + shift > 0)
    if (top >= 0) here.anchor = { line: shown.first + top, y: (children[top]?.offsetTop ?? 0) + shift }
    here.isAtEnd = shown.end === extent.end && shift + height <= size.height + 1
    // Once wide it stays wide: otherwise the text would jump to the side.
    here.width = isWrapped ? 0 : Math.max(here.width, list.scrollWidth)
    list.style.minWidth = here.width > element.clientWidth ? `${here.width}px` : ''
    const wanted = isFollowing ? element.scrollHeight : scrollTopOf(here.anchor, extent, total, size.height)
    const isStuck = !isExact && (element.scrollTop <= 0 || element.scrollTop >= element.scrollHeight - size.height)
    if (isExact || isFollowing || isStuck || here.mustSync) sync(wanted)
    else {
      clearTimeout(here.idle)
      here.idle = Number(setTimeout(() => sync(scrollTopOf(here.anchor, extent, total, size.height)), 200))
    }
    here.mustSync = false
    here.scrollTop = element.scrollTop
  })
  useEffect(() => () => clearTimeout(here.idle), [])

  const sync = (top: number): void => {
    const element = box.current
    if (!element || Math.abs(element.scrollTop - top) <= 1) return
    element.scrollTop = top
    here.scrollTop = element.scrollTop
  }

  const moveTo = (anchor: Anchor): void => {
    here.anchor = anchor
    here.mustSync = true
    redraw()
  }
  const moveBy = (pixels: number): void => {
    if (pixels < 0 && isFollowing) onFollow(false)
    if (pixels > 0 && here.isAtEnd) return onFollow(true)
    moveTo({ line: here.anchor.line, y: here.anchor.y - pixels })
  }

  const onScroll = (): void => {
    const element = box.current
    // While the size changes the browser scrolls by itself.
    if (!element || element.clientHeight !== size.height) return
    const { scrollTop } = element
    const by = scrollTop - here.scrollTop
    here.scrollTop = scrollTop
    if (Math.abs(by) < 1) return
    if (by < 0 && isFollowing) onFollow(false)
    if (by > 0 && !isFollowing && scrollTop + size.height >= element.scrollHeight - 1 && (isExact || here.isAtEnd)) onFollow(true)
    // A pull of the scrollbar leads anywhere; a wheel, a thumb or a key by pixels.
    const isPulled = isExact || Math.abs(by) > 3 * size.height
    here.anchor = isPulled ? anchorAt(scrollTop, extent, total, size.height) : { line: here.anchor.line, y: here.anchor.y - by }
    redraw()
  }

  const page = size.height - 2 * rowHeight
  const keys: Readonly<Record<string, () => unknown>> = {
    ArrowUp: () => moveBy(-rowHeight),
    ArrowDown: () => moveBy(rowHeight),
    PageUp: () => moveBy(-page),
    PageDown: () => moveBy(page),
    Home: () => {
      onFollow(false)
      moveTo({ line: extent.first, y: 0 })
    },
    End: () => onFollow(true),
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey) return
    if ((event.ctrlKey || event.metaKey) && event.key === 'c') {
      if (getSelection()?.isCollapsed !== false && props.onCopy()) event.preventDefault()
      return
    }
    if (event.shiftKey && chosen && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      event.preventDefault()
      return props.onChoose(chosen.to + (event.key === 'ArrowUp' ? -1 : 1), true)
    }
    const act = event.shiftKey ? undefined : keys[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }

  props.handle.current = {
    goTo: (line) => {
      onFollow(false)
      moveTo({ line: Math.max(extent.first, Math.min(store.end() - 1, line)), y: Math.floor(size.height / 3) })
    },
    top: () => here.anchor.line,
    focus: () => box.current?.focus(),
  }

  const digits = Math.max(3, String(extent.end).length)
  const [chosenFirst, chosenLast] = chosen ? [Math.min(chosen.from, chosen.to), Math.max(chosen.from, chosen.to)] : [-1, -1]
  const lines = []
  for (let index = shown.first; index < shown.end; index++) {
    const line = store.line(index)
    if (!line) continue
    const style = styleBefore((back) => textIn(store, index - back, line.stream))
    const isChosen = index >= chosenFirst && index <= chosenLast
    const isCurrent = index === props.current
    lines.push(<LogRow key={index} {...{ line, style, times, start: props.start, wanted: props.wanted, isChosen, isCurrent }} />)
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of what scrolls
    <div
      ref={box}
      class={`log-box ${isWrapped ? 'log-wrapped' : ''} log-times-${times}`}
      style={{ '--digits': digits, '--total': `${Math.min(total, 4000)}px` }}
      {...{ role: 'log', 'aria-label': props.label, 'aria-live': props.isQuiet && isFollowing ? 'polite' : 'off' }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and is read by keys
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
      onClick={(event) => {
        const number = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>('[data-line]') : null
        if (!number) return
        event.preventDefault()
        props.onChoose(Number(number.dataset['line']), event.shiftKey)
      }}
    >
      <div class="log-space" style={{ height: `${spaceOf(total)}px` }}>
        <div class={isFollowing ? 'log-sight log-at-end' : 'log-sight'} style={{ height: `${size.height}px` }}>
          <div ref={rows} class="log-rows">
            {lines}
          </div>
        </div>
      </div>
      <div class="log-row log-probe" aria-hidden="true">
        <span class="log-number" />
        {times !== 'off' && <span class="log-time" />}
        <span class="log-stream" />
        <span ref={probe} class="log-text">
          0000000000
        </span>
      </div>
    </div>
  )
}

/** What the same stream wrote in a line before; nothing where another one wrote. */
const textIn = (store: LogStore, index: number, stream: string): string | undefined => {
  const line = store.line(index)
  return line?.stream === stream ? line.text : line && ''
}
