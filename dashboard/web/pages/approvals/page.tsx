import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/approvals',
  title: 'Approvals',
  load: () => import('./approvals.tsx').then((one) => one.ApprovalsPage),
  nav: { label: 'Approvals', icon: 'approvals', order: 5, count: (bar) => bar.approvals },
  shortcut: 'g a',
}
