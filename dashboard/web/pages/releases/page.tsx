import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/releases',
  title: 'Releases',
  load: () => import('./releases.tsx').then((one) => one.ReleasesPage),
  shortcut: 'g r',
}
