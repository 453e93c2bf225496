import { useState } from 'preact/hooks'
import type { Device } from '../../../../schemas/device.ts'
import { faultOf } from '../../api/ask.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { orderedLabels } from '../../format/label-order.ts'
import { Button } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { TextField } from '../../parts/field.tsx'
import { Form } from '../../parts/form.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Labels } from '../../parts/labels.tsx'
import { Plain } from '../../parts/plain.tsx'
import { useToast } from '../../parts/toast.tsx'
import { useSession } from '../../session/session.ts'

interface LabelsCardProps {
  device: string
  labels: Readonly<Record<string, string>>
}

/** The labels of a device, and a way to put others on it. */
export const LabelsCard = ({ device, labels }: LabelsCardProps) => {
  const { mayAct } = useSession()
  const [isEdited, setIsEdited] = useState(false)
  return (
    <Card
      title="Labels"
      aside={
        mayAct && (
          <Button small onClick={() => setIsEdited(!isEdited)} pressed={isEdited}>
            Edit
          </Button>
        )
      }
    >
      {isEdited ? <Edited device={device} labels={labels} /> : <Labels labels={labels} />}
    </Card>
  )
}

const Edited = ({ device, labels }: LabelsCardProps) => {
  const ask = useApi()
  const toast = useToast()
  const [key, setKey] = useState('')
  const [value, setValue] = useState('')
  const change = (body: { set?: Record<string, string>; remove?: string[] }) =>
    ask<Device>('POST', `/devices/${device}/labels`, body)
  const add = useAction(
    () => change({ set: { [key.trim()]: value.trim() } }),
    () => {
      setKey('')
      setValue('')
    },
  )
  const remove = useAction(async (gone: string) => {
    const outcome = await change({ remove: [gone] })
    if (!outcome.ok) toast('bad', `Cannot take ${gone} off: ${outcome.error.message}`)
    else if (outcome.output.labels[gone] !== undefined)
      toast('bad', `The device gives ${gone} to itself. To change it, put another value over it`)
    return outcome
  })
  // A refusal names the label, not its half.
  const isOfKey = add.error?.details?.some(({ code }) => code === 'invalid_key')
  const fault = faultOf(add.error, 'set')
  return (
    <>
      <ul class="label-list">
        {orderedLabels(labels).map(([name, text]) => (
          <li key={name} class="label">
            <Plain text={text === '' ? name : `${name}=${text}`} />
            <button type="button" aria-label={`Take ${name} off`} disabled={remove.isBusy} onClick={() => void remove.run(name)}>
              <Icon name="cross" size={12} />
            </button>
          </li>
        ))}
      </ul>
      <Form onSubmit={() => key.trim() !== '' && void add.run()} error={add.error} fields={['set']}>
        <div class="label-form">
          <TextField label="Key" value={key} onInput={setKey} error={isOfKey ? fault : undefined} autocomplete="off" mono />
          <TextField label="Value" value={value} onInput={setValue} error={isOfKey ? undefined : fault} autocomplete="off" mono />
          <Button type="submit" busy={add.isBusy} disabled={key.trim() === ''}>
            Put on
          </Button>
        </div>
      </Form>
      <p class="field-hint">What is put on here wins over what the device says of itself.</p>
    </>
  )
}
