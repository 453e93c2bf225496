import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { AheadContext } from '../live/use-ahead.ts'
import { useStanding } from '../live/use-live.ts'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icon.tsx'
import { ToastProvider } from '../parts/toast.tsx'
import { Account } from './account.tsx'
import { Away } from './away.tsx'
import { Navigation } from './navigation.tsx'
import { ShortcutList, useShortcuts } from './shortcuts.tsx'

interface ShellProps {
  pages: readonly Page[]
  children: ComponentChildren
}

/** What is around every page: navigation, whether it is live, who is signed in. */
export const Shell = ({ pages, children }: ShellProps) => {
  const { aheadMs } = useStanding()
  const { path } = useLocation()
  const { isListShown, showList } = useShortcuts(pages)
  const drawer = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    if (drawer.current) drawer.current.open = false
  }, [path])
  const account = <Account onShortcuts={() => showList(true)} />
  return (
    <AheadContext.Provider value={aheadMs}>
      <ToastProvider>
        <a class="skip" href="#main">
          Skip to the page
        </a>
        <div class="shell">
          <header class="side">
            <a class="brand" href="/">
              <img src={new URL('../icon.svg', import.meta.url).href} alt="" width="28" height="28" />
              Skein
            </a>
            <Navigation pages={pages} />
            <div class="side-end">{account}</div>
            <details ref={drawer} class="side-drawer">
              <summary aria-label="Account and settings">
                <Icon name="user" size={20} />
              </summary>
              <div class="side-drawer-body">{account}</div>
            </details>
          </header>
          <div class="content">
            <Away />
            <main id="main" tabIndex={-1}>
              {children}
            </main>
          </div>
        </div>
        {isListShown && <ShortcutList pages={pages} onClose={() => showList(false)} />}
      </ToastProvider>
    </AheadContext.Provider>
  )
}
