import type { Page } from '../../page.ts'
import { FleetPage } from './fleet.tsx'

export const page: Page = {
  path: '/fleet',
  title: 'Fleet',
  component: FleetPage,
  nav: { label: 'Fleet', icon: 'fleet', order: 2 },
  shortcut: 'g f',
}
