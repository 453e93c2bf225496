import type { ComponentType } from 'preact'
import { lazy } from 'preact-iso'
import type { Page, PageProps } from './page.ts'
import { untilLoaded } from './shell/until-loaded.ts'

const found = import.meta.glob<Page>('./pages/*/page.tsx', { eager: true, import: 'page' })

/** All pages, those with a fixed path before those with a name in it, so that `/tasks/new` is no task. */
export const pages: readonly Page[] = Object.values(found).sort(
  (a, b) => Number(a.path.includes(':')) - Number(b.path.includes(':')) || (a.nav?.order ?? 99) - (b.nav?.order ?? 99),
)

/** Each page's address with its component, which is fetched when it is wanted, or `preload`ed. */
export const routes = pages.map(({ path, load }) => ({
  path,
  component: lazy<ComponentType<PageProps>>(() => untilLoaded(load)),
}))
