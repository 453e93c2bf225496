import type { Page } from '../../page.ts'

export const page: Page = {
  path: '/tokens',
  title: 'Tokens and joining',
  load: () => import('./tokens.tsx').then((one) => one.TokensPage),
  nav: { label: 'Tokens', icon: 'key', order: 6, role: 'admin' },
  shortcut: 'g k',
}
