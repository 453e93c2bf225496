import type { ComponentType } from 'preact'
import { lazy } from 'preact-iso'
import type { Page, PageProps } from './page.ts'
import { untilLoaded } from './shell/until-loaded.ts'

const found = import.meta.glob<Page>('./pages/*/page.tsx', { eager: true, import: 'page' })

/** All pages, those with a fixed path before those with a name in it, so that `/tasks/new` is no task. */
export const pages: readonly Page[] = Object.values(found).sort(
  (a, b) => Number(a.path.includes(':')) - Number(b.path.includes(':')) || (a.nav?.order ?? 99) - (b.nav?.order ?? 99),
)

/** Each page's address with its component, which is fetched when it is wanted. */
export const routes = pages.map(({ path, load }) => ({
  path,
  component: lazy<ComponentType<PageProps>>(() => untilLoaded(load)),
}))

/** Fetches the page of a link that somebody points at or has come to by keys: it is likely wanted next. Returns what ends that. */
export const preloadPointedAt = (root: Document): (() => void) => {
  const look = ({ target }: Event): void => {
    const link = target instanceof Element ? target.closest('a') : null
    if (link?.origin === location.origin) void routes.find(({ path }) => leadsTo(path, link.pathname))?.component.preload()
  }
  root.addEventListener('pointerover', look)
  root.addEventListener('focusin', look)
  return () => {
    root.removeEventListener('pointerover', look)
    root.removeEventListener('focusin', look)
  }
}

const leadsTo = (route: string, path: string): boolean => {
  const [wanted, given] = [route.split('/'), path.split('/')]
  return (
    wanted.length === given.length && wanted.every((part, i) => part === given[i] || (part.startsWith(':') && given[i] !== ''))
  )
}
