import { useState } from 'preact/hooks'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { faultOf } from '../../api/ask.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { Button } from '../../parts/button.tsx'
import { Copy } from '../../parts/copy.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Field, TextField } from '../../parts/field.tsx'
import { Form } from '../../parts/form.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Time } from '../../parts/time.tsx'
import { faultOfNumber, numberIn } from './periods.ts'

type Made = OutputOf<'token.create'>

const roles = [
  { value: 'viewer', label: 'viewer: sees everything, changes nothing' },
  { value: 'operator', label: 'operator: runs, stops and approves, too' },
  { value: 'admin', label: 'admin: makes tokens and removes devices, too' },
]

/** Makes a token for a person or a program, and shows it once. */
export const NewTokenDialog = ({ onClose }: { onClose: () => void }) => {
  const [made, setMade] = useState<Made | null>(null)
  return (
    <Dialog title={made ? 'The new token' : 'New token'} onClose={onClose} keep={made !== null}>
      {made ? <Shown made={made} onClose={onClose} /> : <Asked onMade={setMade} onClose={onClose} />}
    </Dialog>
  )
}

const Asked = ({ onMade, onClose }: { onMade: (made: Made) => void; onClose: () => void }) => {
  const ask = useApi()
  const [name, setName] = useState('')
  const [role, setRole] = useState('operator')
  const [days, setDays] = useState('90')
  const fault = faultOfNumber(days, { most: 3650, whole: false })
  const { run, isBusy, error } = useAction(
    () => ask<Made>('POST', '/tokens', { name: name.trim(), role, ttl_seconds: Math.ceil((numberIn(days) ?? 0) * 86_400) }),
    onMade,
  )
  const isReady = name.trim() !== '' && fault === undefined
  return (
    <Form onSubmit={() => isReady && void run()} error={error} fields={['name', 'role', 'ttl_seconds']}>
      <TextField
        label="Name"
        hint="Of the person or the program, as it will stand beside what they do: a-z, 0-9 and -."
        value={name}
        onInput={setName}
        error={faultOf(error, 'name')}
        autocomplete="off"
      />
      <Field label="Role" error={faultOf(error, 'role')}>
        {(control) => (
          <select {...control} value={role} onChange={(event) => setRole(event.currentTarget.value)}>
            {roles.map((one) => (
              <option key={one.value} value={one.value}>
                {one.label}
              </option>
            ))}
          </select>
        )}
      </Field>
      <TextField
        label="Days that it holds"
        value={days}
        onInput={setDays}
        error={fault ?? faultOf(error, 'ttl_seconds')}
        autocomplete="off"
      />
      <div class="dialog-actions">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={isBusy} disabled={!isReady}>
          Make the token
        </Button>
      </div>
    </Form>
  )
}

const Shown = ({ made, onClose }: { made: Made; onClose: () => void }) => (
  <>
    <p>
      For <Plain text={made.name} />, as {made.role}; it ends <Time at={made.expires_at} />. It is shown only now: keep it where
      secrets are kept.
    </p>
    <div class="token-text">
      <code>{made.token}</code>
    </div>
    <div class="dialog-actions">
      <Copy text={made.token ?? ''} label="Copy the token" />
      <Button kind="primary" onClick={onClose}>
        Done
      </Button>
    </div>
  </>
)
