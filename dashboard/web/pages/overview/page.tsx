import type { Page } from '../../page.ts'
import { OverviewPage } from './overview.tsx'

export const page: Page = {
  path: '/',
  title: 'Overview',
  component: OverviewPage,
  nav: { label: 'Overview', icon: 'overview', order: 1 },
  shortcut: 'g o',
}
