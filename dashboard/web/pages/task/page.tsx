import { lazy } from 'preact-iso'
import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/tasks/:task',
  title: 'Task',
  component: lazy(() => import('./task.tsx').then((one) => one.TaskPage)),
}
