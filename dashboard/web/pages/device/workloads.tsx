import { useState } from 'preact/hooks'
import type { DeviceShown } from '../../../../schemas/dashboard.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { WorkloadStatus } from '../../../../schemas/workload-status.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { countText, mibText } from '../../format/amounts.ts'
import { wordOf } from '../../format/states.ts'
import { Button, LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { useToast } from '../../parts/toast.tsx'
import { useSession } from '../../session/session.ts'
import { ReloadDialog } from './reload-dialog.tsx'
import { WorkloadActions } from './workload-actions.tsx'

interface WorkloadsCardProps {
  device: string
  reported: DeviceShown['reported']
}

/** What the device keeps running, or runs on a schedule. */
export const WorkloadsCard = ({ device, reported }: WorkloadsCardProps) => {
  const { mayAct } = useSession()
  return (
    <Card title="Workloads" flush aside={mayAct && <Reload device={device} />}>
      {!reported ? (
        <div class="device-waits">
          <p class="muted">The device has not said yet what it runs.</p>
          <Skeleton lines={2} />
        </div>
      ) : reported.workloads.length === 0 ? (
        <Empty icon="refresh" title="It has no workloads">
          <p>A workload is what a device keeps running, or runs on a schedule. On the machine itself:</p>
          <div class="command">
            <code>skein local apply FILE.yaml</code>
          </div>
        </Empty>
      ) : (
        <Table caption="Workloads" columns={columnsOf(device)} rows={reported.workloads} rowKey={({ name }) => name} />
      )}
    </Card>
  )
}

const columnsOf = (device: string): readonly Column<WorkloadStatus>[] => [
  {
    title: 'Workload',
    wide: true,
    cell: (one) => (
      <div class="workload-name">
        <a href={`/fleet/${device}?log=${one.name}`} data-row>
          <Plain text={one.name} cut />
        </a>
        <span class="muted">
          <Plain text={[one.type, wordOf(one.run_mode), ...one.tags].join(' · ')} cut />
        </span>
        {one.last_error !== null && (
          <span class="workload-error">
            <Plain text={one.last_error} cut />
          </span>
        )}
      </div>
    ),
  },
  {
    title: 'State',
    cell: (one) => (
      <div class="workload-state">
        <State state={one.state} />
        {one.reason !== null && one.reason !== one.state && (
          <span class="muted">
            <Plain text={wordOf(one.reason)} cut />
          </span>
        )}
      </div>
    ),
  },
  { title: 'Health', cell: (one) => (one.health === null ? <span class="muted">no check</span> : <State state={one.health} />) },
  {
    title: 'Runs',
    align: 'right',
    cell: (one) => (
      <span class="number">
        {countText(one.run_count)}
        {one.failures > 0 && <span class="muted">, {countText(one.failures)} failed in a row</span>}
      </span>
    ),
  },
  { title: 'Next', align: 'right', cell: (one) => <Time at={one.next_at} /> },
  {
    title: 'Memory',
    align: 'right',
    cell: (one) => (
      <span class="workload-process number">
        {one.memory_mb === null ? '–' : mibText(one.memory_mb)}
        {one.pid !== null && <span class="muted">pid {one.pid}</span>}
      </span>
    ),
  },
  {
    title: '',
    align: 'right',
    cell: (one) => (
      <div class="bar">
        <LinkButton small bare icon="logs" href={`/fleet/${device}?log=${one.name}`} label={`Log of ${one.name}`}>
          Log
        </LinkButton>
        <WorkloadActions device={device} status={one} bare />
      </div>
    ),
  },
]

const Reload = ({ device }: { device: string }) => {
  const ask = useApi()
  const toast = useToast()
  const [diff, setDiff] = useState<OutputOf<'workload.reload'> | null>(null)
  const { run, isBusy } = useAction(async () => {
    const outcome = await ask<OutputOf<'workload.reload'>>('POST', `/devices/${device}/reload`)
    if (outcome.ok) setDiff(outcome.output)
    else toast('bad', `Cannot read the files again: ${outcome.error.message}`)
    return outcome
  })
  return (
    <>
      <Button
        small
        icon="refresh"
        busy={isBusy}
        onClick={() => void run()}
        title="The device reads its files again, and touches only what has changed"
      >
        Reload
      </Button>
      {diff && <ReloadDialog diff={diff} device={device} onClose={() => setDiff(null)} />}
    </>
  )
}
