import { useLocation } from 'preact-iso'
import { useStanding } from '../live/use-live.ts'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icon.tsx'
import { type Session, useSession } from '../session/session.ts'

/** The pages of the navigation, with counts of what waits. */
export const Navigation = ({ pages }: { pages: readonly Page[] }) => {
  const session = useSession()
  const { bar } = useStanding()
  const { path } = useLocation()
  return (
    <nav class="nav" aria-label="Pages">
      {pages.map((page) => {
        const { nav } = page
        if (!nav || !isFor(nav.role, session)) return null
        const count = bar ? (nav.count?.(bar) ?? 0) : 0
        const isHere = [page.path, ...(nav.also ?? [])].some((one) =>
          one === '/' ? path === '/' : path === one || path.startsWith(`${one}/`),
        )
        return (
          <a key={page.path} href={page.path} aria-current={isHere ? 'page' : undefined}>
            <Icon name={nav.icon} size={20} />
            <span class="nav-label">{nav.label}</span>
            {count > 0 && (
              <span class="nav-count">
                {count}
                <span class="unseen"> waiting</span>
              </span>
            )}
          </a>
        )
      })}
    </nav>
  )
}

const isFor = (role: 'operator' | 'admin' | undefined, session: Session): boolean =>
  role === undefined || (role === 'admin' ? session.isAdmin : session.mayAct)
