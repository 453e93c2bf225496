import type { Page } from '../../page.ts'
import { ApprovalsPage } from './approvals.tsx'

export const page: Page = {
  path: '/approvals',
  title: 'Approvals',
  component: ApprovalsPage,
  nav: { label: 'Approvals', icon: 'approvals', order: 4, count: (bar) => bar.approvals },
  shortcut: 'g a',
}
