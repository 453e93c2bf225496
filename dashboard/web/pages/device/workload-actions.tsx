import { useState } from 'preact/hooks'
import type { WorkloadStatus } from '../../../../schemas/workload-status.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { wordOf } from '../../format/states.ts'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { useToast } from '../../parts/toast.tsx'
import { useSession } from '../../session/session.ts'

type Verb = 'start' | 'stop' | 'restart'

interface WorkloadActionsProps {
  device: string
  status: WorkloadStatus
  /** Only signs, for a row of a table. */
  bare?: boolean
}

/** Start, stop and restart a workload, by those who may. */
export const WorkloadActions = ({ device, status, bare = false }: WorkloadActionsProps) => {
  const ask = useApi()
  const toast = useToast()
  const { mayAct } = useSession()
  const [asked, setAsked] = useState<'stop' | 'restart' | null>(null)
  const { name, state } = status
  const { run, isBusy, error, clear } = useAction(
    async (verb: Verb) => {
      const outcome = await ask<WorkloadStatus>('POST', `/devices/${device}/workloads/${name}/${verb}`)
      // Of the others the dialog shows it, which is still open.
      if (!outcome.ok && verb === 'start') toast('bad', `Cannot start ${name}: ${outcome.error.message}`)
      return outcome
    },
    (now) => {
      setAsked(null)
      toast('good', `${name} is ${wordOf(now.state)}`)
    },
  )
  if (!mayAct) return null
  const isUp = state === 'running' || state === 'starting' || state === 'stopping' || state === 'backoff'
  const close = () => {
    setAsked(null)
    clear()
  }
  return (
    <>
      {isUp ? (
        <Button small bare={bare} icon="refresh" onClick={() => setAsked('restart')} label={`Restart ${name}`} title="Restart">
          Restart
        </Button>
      ) : (
        <Button
          small
          bare={bare}
          icon="play"
          busy={isBusy}
          onClick={() => void run('start')}
          label={`Start ${name}`}
          title="Start"
        >
          Start
        </Button>
      )}
      {/* One that waits for its next firing can be stopped, too. */}
      <Button
        small
        bare={bare}
        icon="stop"
        disabled={state === 'stopped' || state === 'completed' || state === 'failed' || state === 'crash_loop'}
        onClick={() => setAsked('stop')}
        label={`Stop ${name}`}
        title="Stop"
      >
        Stop
      </Button>
      {asked && (
        <Confirm
          title={`${asked === 'stop' ? 'Stop' : 'Restart'} ${name}?`}
          verb={asked === 'stop' ? 'Stop' : 'Restart'}
          danger={asked === 'stop'}
          busy={isBusy}
          error={error}
          onConfirm={() => void run(asked)}
          onClose={close}
        >
          {asked === 'stop' ? (
            <p>Its processes on {device} are ended. It stays stopped, through reboots too, until somebody starts it.</p>
          ) : (
            <p>Its processes on {device} are ended, and it is started again.</p>
          )}
        </Confirm>
      )}
    </>
  )
}
