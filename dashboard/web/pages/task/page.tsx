import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/tasks/:task',
  title: 'Task',
  load: () => import('./task.tsx').then((one) => one.TaskPage),
}
