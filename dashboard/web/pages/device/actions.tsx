import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { FleetRow } from '../../../../schemas/dashboard.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { withQuery } from '../../api/ask.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { plural } from '../../format/amounts.ts'
import { Button, LinkButton } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { Menu } from '../../parts/menu.tsx'
import { useToast } from '../../parts/toast.tsx'
import { useSession } from '../../session/session.ts'

/** What can be done with a device, by those who may. */
export const Actions = ({ row }: { row: FleetRow }) => {
  const { mayAct, isAdmin } = useSession()
  const [asked, setAsked] = useState<'drain' | 'remove' | null>(null)
  const close = () => setAsked(null)
  if (!mayAct) return null
  return (
    <>
      <LinkButton kind="primary" icon="play" href={`/tasks/new?device=${row.device}`}>
        Run something here
      </LinkButton>
      <Button icon={row.drained ? 'play' : 'pause'} onClick={() => setAsked('drain')}>
        {row.drained ? 'Undrain' : 'Drain'}
      </Button>
      {isAdmin && (
        <Menu label="More" bare>
          <Button kind="danger" icon="trash" onClick={() => setAsked('remove')}>
            Remove from the fleet
          </Button>
        </Menu>
      )}
      {asked === 'drain' && <DrainDialog row={row} onClose={close} />}
      {asked === 'remove' && <RemoveDialog row={row} onClose={close} />}
    </>
  )
}

interface DialogProps {
  row: FleetRow
  onClose: () => void
}

const DrainDialog = ({ row, onClose }: DialogProps) => {
  const ask = useApi()
  const toast = useToast()
  // What it was when it was asked about: the answer may change it before the dialog is gone.
  const [isDrained] = useState(row.drained)
  const { run, isBusy, error } = useAction(
    () => ask('POST', `/devices/${row.device}/${isDrained ? 'undrain' : 'drain'}`),
    () => {
      toast('good', isDrained ? `${row.device} is given work again` : `${row.device} is given no more work`)
      onClose()
    },
  )
  return (
    <Confirm
      title={`${isDrained ? 'Undrain' : 'Drain'} ${row.device}?`}
      verb={isDrained ? 'Undrain' : 'Drain'}
      busy={isBusy}
      error={error}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      {isDrained ? (
        <p>It is given work again, and takes at once what waits for it.</p>
      ) : (
        <>
          <p>It is given no more work: tasks go to other devices, or wait until it is undrained.</p>
          <p>What it runs now goes on, and so do its workloads.</p>
        </>
      )}
    </Confirm>
  )
}

const RemoveDialog = ({ row, onClose }: DialogProps) => {
  const ask = useApi()
  const toast = useToast()
  const { route } = useLocation()
  const { run, isBusy, error } = useAction(
    (force: boolean) =>
      ask<OutputOf<'device.remove'>>('DELETE', withQuery(`/devices/${row.device}`, { force: force ? 'true' : undefined })),
    ({ lost }) => {
      toast(
        'good',
        `${row.device} was removed${lost.length > 0 ? `; ${plural(lost.length, 'run was', 'runs were')} given up` : ''}`,
      )
      onClose()
      route('/fleet')
    },
  )
  const { running } = row
  return (
    <Confirm
      title={`Remove ${row.device} from the fleet?`}
      verb="Remove"
      danger
      typed={row.device}
      busy={isBusy}
      error={error}
      // Only of runs that are told about here.
      onConfirm={() => void run(running > 0)}
      onClose={onClose}
    >
      <ul>
        {running > 0 && <li>It has {plural(running, 'run')} at this moment: given up, and shown as lost.</li>}
        <li>Its tokens are revoked and its connection is closed.</li>
        <li>Tasks that wait for it end.</li>
        <li>On the machine itself nothing is stopped: its workloads go on until somebody ends them there.</li>
        <li>To come back it has to join anew.</li>
      </ul>
    </Confirm>
  )
}
