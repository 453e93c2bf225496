import type { Page } from '../../page.ts'
import { NewTaskPage } from './new-task.tsx'

export const page: Page = { path: '/tasks/new', title: 'New task', component: NewTaskPage, shortcut: 'n' }
