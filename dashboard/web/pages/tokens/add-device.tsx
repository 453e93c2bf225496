import { useState } from 'preact/hooks'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { faultOf } from '../../api/ask.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { plural } from '../../format/amounts.ts'
import { useStanding } from '../../live/use-live.ts'
import { Button } from '../../parts/button.tsx'
import { Command } from '../../parts/command.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { TextField } from '../../parts/field.tsx'
import { Form } from '../../parts/form.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Time } from '../../parts/time.tsx'
import { useSession } from '../../session/session.ts'
import { faultOfNumber, isLoopback, numberIn } from './periods.ts'

type Made = OutputOf<'token.create'>

/** Makes a token that new devices join with, and shows the line to run on them. */
export const AddDeviceDialog = ({ onClose }: { onClose: () => void }) => {
  const { broker_url } = useSession()
  const [url, setUrl] = useState(broker_url)
  const [made, setMade] = useState<Made | null>(null)
  return (
    <Dialog title="Add a device" onClose={onClose} wide keep={made !== null}>
      {made ? <Shown made={made} url={url} onUrl={setUrl} onClose={onClose} /> : <Asked onMade={setMade} onClose={onClose} />}
    </Dialog>
  )
}

const Asked = ({ onMade, onClose }: { onMade: (made: Made) => void; onClose: () => void }) => {
  const ask = useApi()
  const [uses, setUses] = useState('1')
  const [hours, setHours] = useState('24')
  const usesFault = faultOfNumber(uses, { most: 100_000, whole: true })
  const hoursFault = faultOfNumber(hours, { most: 87_600, whole: false })
  const { run, isBusy, error } = useAction(
    () =>
      ask<Made>('POST', '/tokens', {
        role: 'join',
        uses: numberIn(uses),
        ttl_seconds: Math.ceil((numberIn(hours) ?? 0) * 3600),
      }),
    onMade,
  )
  const isReady = usesFault === undefined && hoursFault === undefined
  return (
    <Form onSubmit={() => isReady && void run()} error={error} fields={['uses', 'ttl_seconds']}>
      <p>A new machine joins with one line, which holds a token for nothing but joining. Skein has to be on the machine.</p>
      <div class="two-fields">
        <TextField
          label="How many devices may join with it"
          value={uses}
          onInput={setUses}
          error={usesFault ?? faultOf(error, 'uses')}
          autocomplete="off"
        />
        <TextField
          label="Hours that it holds"
          value={hours}
          onInput={setHours}
          error={hoursFault ?? faultOf(error, 'ttl_seconds')}
          autocomplete="off"
        />
      </div>
      <div class="dialog-actions">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={isBusy} disabled={!isReady}>
          Make the line
        </Button>
      </div>
    </Form>
  )
}

interface ShownProps {
  made: Made
  url: string
  onUrl: (url: string) => void
  onClose: () => void
}

const Shown = ({ made, url, onUrl, onClose }: ShownProps) => {
  const { bar } = useStanding()
  const devices = bar?.devices ?? 0
  const [before] = useState(devices)
  const joined = Math.max(0, devices - before)
  return (
    <>
      <p>
        Run this on the new machine. It lets in {made.uses === 1 ? 'one device' : `${made.uses} devices`}, ends{' '}
        <Time at={made.expires_at} />, and is shown only now.
      </p>
      <div class="token-text">
        <Command text={`skein device join --url ${url.trim()} --token ${made.token}`} />
      </div>
      <p>Then start it:</p>
      <Command text="skein device" />
      <TextField
        label="Where the new machine finds the broker"
        value={url}
        onInput={onUrl}
        hint={
          isLoopback(url)
            ? 'This address is good on this machine only. For others the broker has to listen on the network, and its address goes here.'
            : undefined
        }
        autocomplete="off"
        mono
      />
      <div class="dialog-actions">
        <p class="joined" role="status">
          {joined > 0 ? (
            <>
              <Icon name="check" size={16} /> {plural(joined, 'device has', 'devices have')} joined
            </>
          ) : (
            <>
              <span class="spinner" aria-hidden="true" /> Nobody has joined yet
            </>
          )}
        </p>
        <Button kind={joined > 0 ? 'primary' : 'plain'} onClick={onClose}>
          Done
        </Button>
      </div>
    </>
  )
}
