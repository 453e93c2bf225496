import { useState } from 'preact/hooks'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { Release } from '../../../../schemas/release.ts'
import { withQuery } from '../../api/ask.ts'
import { DeploymentTabs } from '../../deployments/deployment-tabs.tsx'
import { NoRelease } from '../../deployments/no-release.tsx'
import { refOf } from '../../deployments/release-ref.ts'
import { useListed } from '../../deployments/use-listed.ts'
import { countText, plural } from '../../format/amounts.ts'
import { plainText } from '../../format/plain-text.ts'
import { Bytes } from '../../parts/amounts.tsx'
import { Button, LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Paging } from '../../parts/paging.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Search } from '../../parts/search.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { type Session, useSession } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { DeleteDialog } from './delete-dialog.tsx'
import './releases.css'

type List = OutputOf<'release.list'>

/** All releases, newest first: what can be rolled out, and what runs already. */
export const ReleasesPage = () => {
  const session = useSession()
  const { query, setQuery } = useQuery()
  const search = query['q'] ?? ''
  const path = withQuery('/releases', { limit: 200 })
  const { rows, hasMore, isLoading, error, more, refresh } = useListed<List, Release>(path, (answer) => answer.releases)
  const [gone, setGone] = useState<Release | null>(null)
  const words = search.trim().toLowerCase()
  const fitting = (rows ?? []).filter((one) => [refOf(one), ...one.workloads].some((text) => text.toLowerCase().includes(words)))
  return (
    <>
      <PageHead title="Releases" />
      <DeploymentTabs here="releases" />
      {rows && rows.length > 0 && (
        <div class="bar">
          <Search label="Search by release or workload" value={search} onInput={(q) => setQuery({ q }, { replace: true })} />
        </div>
      )}
      {error && <Fault error={error} onRetry={refresh} />}
      {!rows ? (
        !error && <Skeleton lines={8} />
      ) : rows.length === 0 ? (
        <NoRelease />
      ) : (
        <Card flush>
          {fitting.length === 0 ? (
            <Empty icon="search" title="No release fits">
              <Button onClick={() => setQuery({ q: null })}>Show all releases</Button>
            </Empty>
          ) : (
            <Table caption="Releases" columns={columnsOf(session, setGone)} rows={fitting} rowKey={refOf} />
          )}
          <Paging
            shown={
              hasMore ? `The newest ${plural(rows.length, 'release')} were looked through` : plural(fitting.length, 'release')
            }
            {...{ hasMore, isLoading }}
            onMore={more}
          />
        </Card>
      )}
      {gone && (
        <DeleteDialog
          release={gone}
          onClose={() => setGone(null)}
          onDeleted={() => {
            setGone(null)
            refresh()
          }}
        />
      )}
    </>
  )
}

const columnsOf = (session: Session, onDelete: (release: Release) => void): readonly Column<Release>[] => [
  {
    title: 'Release',
    wide: true,
    cell: (one) => (
      <div class="release-name">
        <strong>
          <Plain text={refOf(one)} cut />
        </strong>
        <span class="muted">
          <Plain text={one.workloads.join(', ')} cut />
        </span>
      </div>
    ),
  },
  {
    title: 'Devices',
    align: 'right',
    cell: (one) => <span class={one.devices > 0 ? 'number' : 'number muted'}>{countText(one.devices)}</span>,
  },
  { title: 'Files', align: 'right', cell: (one) => <span class="number">{countText(one.files)}</span> },
  { title: 'Size', align: 'right', cell: (one) => <Bytes bytes={one.bundle.size} /> },
  { title: 'By', cell: (one) => <Plain text={one.created_by} cut /> },
  { title: 'Made', align: 'right', cell: (one) => <Time at={one.created_at} /> },
  {
    title: '',
    align: 'right',
    cell: (one) => (
      <div class="bar">
        <LinkButton small href={`/deployments?release=${one.name}`} label={`Deployments of ${one.name}`}>
          Deployments
        </LinkButton>
        {session.mayAct && (
          <LinkButton
            small
            icon="deploy"
            href={withQuery('/deployments/new', { release: refOf(one) })}
            label={plainText(`Roll out ${refOf(one)}`)}
          >
            Roll out
          </LinkButton>
        )}
        {session.isAdmin && (
          <Button
            small
            bare
            kind="danger"
            icon="trash"
            onClick={() => onDelete(one)}
            label={plainText(`Delete ${refOf(one)}`)}
            title="Delete"
          >
            Delete
          </Button>
        )}
      </div>
    ),
  },
]
