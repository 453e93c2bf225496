import { useState } from 'preact/hooks'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { ListedToken } from '../../../../schemas/token.ts'
import { withQuery } from '../../api/ask.ts'
import { usePages } from '../../api/use-pages.ts'
import { plural } from '../../format/amounts.ts'
import { Button } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Paging } from '../../parts/paging.tsx'
import { Search } from '../../parts/search.tsx'
import { Segments } from '../../parts/segments.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { useSession } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { AddDeviceDialog } from './add-device.tsx'
import { chooseTokens, tokenKinds } from './choose.ts'
import { NewTokenDialog } from './new-token.tsx'
import { RevokeDialog } from './revoke.tsx'
import { TokensTable } from './tokens-table.tsx'
import './tokens.css'

/** Who may do what until when, and how new devices join. */
export const TokensPage = () => {
  const { isAdmin, role } = useSession()
  return isAdmin ? (
    <Tokens />
  ) : (
    <>
      <PageHead title="Tokens and joining" />
      <Empty icon="key" title="Tokens are made by administrators">
        <p>You are signed in as {role}. Somebody with the role admin can make tokens for people, programs and new devices.</p>
      </Empty>
    </>
  )
}

type List = OutputOf<'token.list'>

const Tokens = () => {
  const { query, setQuery } = useQuery()
  const { rows, hasMore, isLoading, error, more, refresh } = usePages<List, ListedToken>(
    withQuery('/tokens', { limit: 200 }),
    (answer) => answer.tokens,
  )
  const [revoked, setRevoked] = useState<ListedToken | null>(null)
  const kind = tokenKinds.find((one) => one.id === query['kind'])?.id ?? 'all'
  const search = query['q'] ?? ''
  const chosen = chooseTokens(rows ?? [], kind, search)
  const closeAdd = () => {
    setQuery({ add: null }, { replace: true })
    refresh()
  }
  return (
    <>
      <PageHead
        title="Tokens and joining"
        actions={
          <>
            <Button kind="primary" icon="plus" onClick={() => setQuery({ add: 'device' })}>
              Add a device
            </Button>
            <Button icon="key" onClick={() => setQuery({ add: 'token' })}>
              New token
            </Button>
          </>
        }
      />
      <div class="bar">
        <Search label="Search by name" value={search} onInput={(q) => setQuery({ q }, { replace: true })} />
        <Segments
          label="Kind"
          value={kind}
          options={tokenKinds.map(({ id, label }) => ({ value: id, label }))}
          onChange={(next) => setQuery({ kind: next === 'all' ? null : next })}
        />
      </div>
      {error && <Fault error={error} onRetry={refresh} />}
      {!rows ? (
        !error && <Skeleton lines={8} />
      ) : (
        <Card flush>
          {chosen.length === 0 ? (
            <Empty icon="key" title="No token fits">
              <Button onClick={() => setQuery({ q: null, kind: null })}>Show all tokens</Button>
            </Empty>
          ) : (
            <TokensTable tokens={chosen} onRevoke={setRevoked} />
          )}
          <Paging
            shown={hasMore ? `The newest ${plural(rows.length, 'token')} were looked through` : plural(chosen.length, 'token')}
            {...{ hasMore, isLoading }}
            onMore={more}
          />
        </Card>
      )}
      {query['add'] === 'token' && <NewTokenDialog onClose={closeAdd} />}
      {query['add'] === 'device' && <AddDeviceDialog onClose={closeAdd} />}
      {revoked && (
        <RevokeDialog
          token={revoked}
          onClose={() => setRevoked(null)}
          onRevoked={() => {
            setRevoked(null)
            refresh()
          }}
        />
      )}
    </>
  )
}
