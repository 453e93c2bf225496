import type { ListedToken } from '../../../../schemas/token.ts'
import { Button } from '../../parts/button.tsx'
import { Plain } from '../../parts/plain.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'

interface TokensTableProps {
  tokens: readonly ListedToken[]
  onRevoke: (token: ListedToken) => void
}

/** Tokens: whose they are, what they may, until when. Never the tokens themselves. */
export const TokensTable = ({ tokens, onRevoke }: TokensTableProps) => (
  <Table caption="Tokens" columns={columnsOf(onRevoke)} rows={tokens} rowKey={(token) => token.id} />
)

const columnsOf = (onRevoke: TokensTableProps['onRevoke']): readonly Column<ListedToken>[] => [
  {
    title: 'Name',
    wide: true,
    cell: (token) => (
      <strong class="token-name">
        <Plain text={token.name} cut />
      </strong>
    ),
  },
  { title: 'Role', cell: (token) => <Plain text={token.role} /> },
  { title: 'State', cell: (token) => <State state={token.state} /> },
  { title: 'Last used', cell: (token) => <Time at={token.last_used_at} none="never" /> },
  {
    title: 'Uses',
    align: 'right',
    cell: (token) =>
      token.uses === undefined ? null : (
        <span class="number">
          {token.used ?? 0} of {token.uses}
        </span>
      ),
  },
  { title: 'Made', align: 'right', cell: (token) => <Time at={token.created_at} /> },
  {
    title: 'Ends',
    align: 'right',
    cell: (token) => <Time at={token.revoked_at ?? token.expires_at} />,
  },
  {
    title: '',
    align: 'right',
    cell: (token) =>
      token.state === 'valid' && (
        <div class="bar">
          <Button small kind="danger" onClick={() => onRevoke(token)} label={`Revoke the token of ${token.name}`}>
            Revoke
          </Button>
        </div>
      ),
  },
]
