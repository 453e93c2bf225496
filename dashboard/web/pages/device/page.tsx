import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/fleet/:device',
  title: 'Device',
  load: () => import('./device.tsx').then((one) => one.DevicePage),
}
