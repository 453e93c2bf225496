import type { Page } from './page.ts'

const found = import.meta.glob<Page>('./pages/*/page.tsx', { eager: true, import: 'page' })

/** All pages, those with a fixed path before those with a name in it, so that `/tasks/new` is no task. */
export const pages: readonly Page[] = Object.values(found).sort(
  (a, b) => Number(a.path.includes(':')) - Number(b.path.includes(':')) || (a.nav?.order ?? 99) - (b.nav?.order ?? 99),
)
