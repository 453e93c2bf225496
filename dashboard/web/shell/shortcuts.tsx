import { useEffect, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { Page } from '../page.ts'
import { Dialog } from '../parts/dialog.tsx'
import { createKeySequence } from './key-sequence.ts'

/** Listens for the shortcuts of all pages, `/` for the search and `?` for the list of them; never while somebody types. */
export const useShortcuts = (pages: readonly Page[]): { isListShown: boolean; showList: (isShown: boolean) => void } => {
  const { route } = useLocation()
  const [isListShown, showList] = useState(false)
  useEffect(() => {
    const ways = new Map(pages.flatMap((page) => (page.shortcut === undefined ? [] : [[page.shortcut, page.path] as const])))
    const next = createKeySequence([...ways.keys(), '/', '?'])
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return
      if (event.key === 'Shift' || document.querySelector('dialog[open]')) return
      const sequence = next(event.key, performance.now())
      if (sequence === undefined) return
      event.preventDefault()
      if (sequence === '?') showList(true)
      else if (sequence === '/') focusSearch()
      else route(ways.get(sequence) ?? '/')
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  return { isListShown, showList }
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=button])'))

const focusSearch = (): void => {
  const search = document.querySelector<HTMLInputElement>('main [data-search]')
  search?.focus()
  search?.select()
}

/** The list of shortcuts. */
export const ShortcutList = ({ pages, onClose }: { pages: readonly Page[]; onClose: () => void }) => (
  <Dialog title="Keyboard shortcuts" onClose={onClose}>
    <dl class="shortcuts">
      {pages.map(
        (page) =>
          page.shortcut !== undefined && <Shortcut key={page.path} keys={page.shortcut} what={page.nav?.label ?? page.title} />,
      )}
      <Shortcut keys="/" what="Search on this page" />
      <Shortcut keys="↑ ↓" what="From row to row" />
      <Shortcut keys="Enter" what="Open what is chosen" />
      <Shortcut keys="Esc" what="Close, or empty the search" />
      <Shortcut keys="?" what="This list" />
    </dl>
  </Dialog>
)

const Shortcut = ({ keys, what }: { keys: string; what: string }) => (
  <div class="shortcut">
    <dt>
      {keys.split(' ').map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </dt>
    <dd>{what}</dd>
  </div>
)
