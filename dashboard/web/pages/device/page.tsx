import type { Page } from '../../page.ts'
import { DevicePage } from './device.tsx'

export const page: Page = {
  path: '/fleet/:device',
  title: 'Device',
  component: DevicePage,
}
