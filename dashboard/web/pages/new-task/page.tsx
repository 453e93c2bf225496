import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/tasks/new',
  title: 'New task',
  load: () => import('./new-task.tsx').then((one) => one.NewTaskPage),
  shortcut: 'n',
}
