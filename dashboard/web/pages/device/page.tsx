import { lazy } from 'preact-iso'
import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/fleet/:device',
  title: 'Device',
  component: lazy(() => import('./device.tsx').then((one) => one.DevicePage)),
}
