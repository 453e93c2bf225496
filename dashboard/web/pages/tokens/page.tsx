import type { Page } from '../../page.ts'
import { TokensPage } from './tokens.tsx'

export const page: Page = {
  path: '/tokens',
  title: 'Tokens and joining',
  component: TokensPage,
  nav: { label: 'Tokens', icon: 'key', order: 5, role: 'admin' },
  shortcut: 'g k',
}
