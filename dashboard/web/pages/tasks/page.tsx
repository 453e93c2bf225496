import type { Page } from '../../page.ts'
import { TasksPage } from './tasks.tsx'

export const page: Page = {
  path: '/tasks',
  title: 'Tasks',
  component: TasksPage,
  nav: { label: 'Tasks', icon: 'tasks', order: 3 },
  shortcut: 'g t',
}
