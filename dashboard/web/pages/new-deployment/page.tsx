import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/deployments/new',
  title: 'New deployment',
  load: () => import('./new-deployment.tsx').then((one) => one.NewDeploymentPage),
}
