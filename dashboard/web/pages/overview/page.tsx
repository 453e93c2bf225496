import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/',
  title: 'Overview',
  load: () => import('./overview.tsx').then((one) => one.OverviewPage),
  nav: { label: 'Overview', icon: 'overview', order: 1 },
  shortcut: 'g o',
}
