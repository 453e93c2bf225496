import type { ListedToken } from '../../../../schemas/token.ts'

/** For whom tokens are. */
export const tokenKinds = [
  { id: 'all', label: 'All' },
  { id: 'people', label: 'People and programs' },
  { id: 'joining', label: 'Joining' },
  { id: 'devices', label: 'Devices' },
] as const
export type TokenKind = (typeof tokenKinds)[number]['id']

/** The tokens of a kind whose name has what was searched for. */
export const chooseTokens = (tokens: readonly ListedToken[], kind: TokenKind, search: string): ListedToken[] => {
  const wanted = search.trim().toLowerCase()
  return tokens.filter((token) => (kind === 'all' || kindOf(token) === kind) && token.name.toLowerCase().includes(wanted))
}

const kindOf = ({ role }: ListedToken): TokenKind => (role === 'join' ? 'joining' : role === 'device' ? 'devices' : 'people')
