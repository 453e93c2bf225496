import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/deployments',
  title: 'Deployments',
  load: () => import('./deployments.tsx').then((one) => one.DeploymentsPage),
  nav: { label: 'Deployments', icon: 'deploy', order: 4, also: ['/releases'] },
  shortcut: 'g d',
}
