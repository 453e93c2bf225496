import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { isForRows, moveByArrows } from './move-by-arrows.ts'
import { roles } from './roles.ts'
import { type Sight, sightOf } from './sight.ts'

interface VirtualListProps<Item> {
  items: readonly Item[]
  itemKey: (item: Item) => string | number
  /** Of every row, in pixels, with the gap below it. */
  rowHeight: number
  /** As many beside each other as there is room for at this width; without it one. */
  minWidth?: number
  /** What one is, in a list or a table. */
  role: 'list' | 'rowgroup'
  label?: string
  render: (item: Item, index: number) => ComponentChildren
  /** Hears which are in sight, whenever that changes. */
  onSight?: (items: readonly Item[]) => void
}

/** Thousands of rows in a page of which only those in sight, and a few around them, are made. The page scrolls, not the list. */
export const VirtualList = <Item,>(props: VirtualListProps<Item>) => {
  const { items, itemKey, rowHeight, minWidth, role, label, render, onSight } = props
  const box = useRef<HTMLDivElement>(null)
  const [sight, setSight] = useState<Sight>({ columns: 1, first: 0, end: 0, seenFirst: 0, seenEnd: 0 })

  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    let frame = 0
    const measure = () => {
      frame = 0
      const { top, width } = element.getBoundingClientRect()
      const next = sightOf({ count: items.length, rowHeight, minWidth, top, width, windowHeight: innerHeight })
      setSight((before) => (isSame(before, next) ? before : next))
    }
    const soon = () => {
      frame ||= requestAnimationFrame(measure)
    }
    measure()
    const observer = new ResizeObserver(soon)
    observer.observe(element)
    addEventListener('scroll', soon, { passive: true })
    addEventListener('resize', soon)
    return () => {
      cancelAnimationFrame(frame)
      observer.disconnect()
      removeEventListener('scroll', soon)
      removeEventListener('resize', soon)
    }
  }, [items.length, rowHeight, minWidth])

  const { columns, first, end, seenFirst, seenEnd } = sight
  useEffect(() => onSight?.(items.slice(seenFirst, seenEnd)), [items, onSight, seenFirst, seenEnd])

  /** An end of the list that is not made yet: the page goes there, and the focus when it is. */
  const wanted = useRef<number | null>(null)
  const onKeyDown = (event: KeyboardEvent & { currentTarget: Element }): void => {
    const to = { Home: 0, End: items.length - 1 }[event.key]
    if (to === undefined || (first <= to && to < end)) return moveByArrows(event)
    if (!isForRows(event)) return
    event.preventDefault()
    wanted.current = to
    scrollTo({ top: to === 0 ? 0 : document.documentElement.scrollHeight })
  }
  useLayoutEffect(() => {
    if (wanted.current === null) return
    const row = box.current?.children[wanted.current - first]?.querySelector<HTMLElement>('[data-row]')
    if (!row) return
    wanted.current = null
    row.focus()
  }, [first, end])

  const rows = Math.ceil(items.length / columns)
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys move between the links within
    <div
      ref={box}
      class="virtual"
      {...{ role, 'aria-label': label }}
      style={{ height: `${rows * rowHeight}px` }}
      onKeyDown={onKeyDown}
    >
      {items.slice(first, end).map((item, offset) => {
        const index = first + offset
        const left = index % columns
        return (
          <div
            key={itemKey(item)}
            class="virtual-item"
            {...(role === 'list' ? { role: 'listitem' } : roles.row(index + 2))}
            style={{
              height: `${rowHeight}px`,
              width: `${100 / columns}%`,
              transform: `translate(${left * 100}%, ${Math.floor(index / columns) * rowHeight}px)`,
            }}
          >
            {render(item, index)}
          </div>
        )
      })}
    </div>
  )
}

const isSame = (a: Sight, b: Sight): boolean =>
  a.columns === b.columns && a.first === b.first && a.end === b.end && a.seenFirst === b.seenFirst && a.seenEnd === b.seenEnd
