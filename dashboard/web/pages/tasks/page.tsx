import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/tasks',
  title: 'Tasks',
  load: () => import('./tasks.tsx').then((one) => one.TasksPage),
  nav: { label: 'Tasks', icon: 'tasks', order: 3 },
  shortcut: 'g t',
}
