import type { Page } from '../../page.ts'
import { TaskPage } from './task.tsx'

export const page: Page = { path: '/tasks/:task', title: 'Task', component: TaskPage }
