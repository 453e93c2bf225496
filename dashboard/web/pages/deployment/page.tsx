import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/deployments/:deployment',
  title: 'Deployment',
  load: () => import('./deployment.tsx').then((one) => one.DeploymentPage),
}
