import { lazy } from 'preact-iso'
import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/fleet',
  title: 'Fleet',
  component: lazy(() => import('./fleet.tsx').then((one) => one.FleetPage)),
  nav: { label: 'Fleet', icon: 'fleet', order: 2 },
  shortcut: 'g f',
}
