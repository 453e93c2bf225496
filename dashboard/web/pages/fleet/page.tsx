import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/fleet',
  title: 'Fleet',
  load: () => import('./fleet.tsx').then((one) => one.FleetPage),
  nav: { label: 'Fleet', icon: 'fleet', order: 2 },
  shortcut: 'g f',
}
