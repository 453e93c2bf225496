import { useState } from 'preact/hooks'
import type { Deployment } from '../../../../schemas/deployment.ts'
import { withQuery } from '../../api/ask.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { isOver } from '../../deployments/words.ts'
import { Button, LinkButton } from '../../parts/button.tsx'
import { Choice } from '../../parts/choice.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import type { IconName } from '../../parts/icon.tsx'
import { Plain } from '../../parts/plain.tsx'
import { useToast } from '../../parts/toast.tsx'
import { useSession } from '../../session/session.ts'
import { type Order, ordersFor, whatFollows, whatStays } from './consequences.ts'
import type { ShownDeployment } from './use-deployment.ts'

interface ActionsProps {
  shown: ShownDeployment
  onChanged: () => void
}

/** What can be done about a deployment, by those who may. */
export const Actions = ({ shown, onChanged }: ActionsProps) => {
  const { mayAct } = useSession()
  const [asked, setAsked] = useState<Order | null>(null)
  const { deployment } = shown
  if (!mayAct) return null
  const { release, state, target } = deployment
  const again = withQuery('/deployments/new', { release, selector: target.selector, devices: target.devices?.join(' ') })
  return (
    <>
      {isOver(state) && <LinkButton href={again}>Roll out again</LinkButton>}
      {ordersFor(deployment).map((order) => (
        <Button
          key={order}
          kind={order === 'resume' ? 'primary' : order === 'pause' ? 'plain' : 'danger'}
          icon={looks[order].icon}
          onClick={() => setAsked(order)}
        >
          {order === 'resume' && state !== 'paused' ? 'Let the late ones in' : looks[order].verb}
        </Button>
      ))}
      {asked && <OrderDialog key={asked} order={asked} shown={shown} onChanged={onChanged} onClose={() => setAsked(null)} />}
    </>
  )
}

const looks: Readonly<Record<Order, { icon: IconName; verb: string }>> = {
  pause: { icon: 'pause', verb: 'Pause' },
  resume: { icon: 'play', verb: 'Resume' },
  cancel: { icon: 'stop', verb: 'Cancel' },
  rollback: { icon: 'back', verb: 'Roll back' },
}

interface OrderDialogProps extends ActionsProps {
  order: Order
  onClose: () => void
}

const OrderDialog = ({ order, shown: { deployment, devices }, onChanged, onClose }: OrderDialogProps) => {
  const ask = useApi()
  const toast = useToast()
  const [andThen, setAndThen] = useState<'leave' | 'rollback'>('leave')
  // As it was when it was asked about: what is said must not change under somebody who reads it.
  const [release] = useState(deployment.release)
  const path = `/deployments/${encodeURIComponent(deployment.deployment_id)}/${order}`
  const { run, isBusy, error } = useAction(
    () => ask<Deployment>('POST', path, order === 'cancel' ? { rollback: andThen === 'rollback' } : {}),
    () => {
      toast('good', done[order])
      onChanged()
      onClose()
    },
  )
  const isBack = order === 'rollback' || (order === 'cancel' && andThen === 'rollback')
  const sentences = [
    ...whatFollows(order, deployment, devices),
    ...(order === 'cancel' ? (andThen === 'rollback' ? whatFollows('rollback', deployment, devices) : whatStays(devices)) : []),
  ]
  return (
    <Confirm
      title={
        <>
          {titles[order]} <Plain text={release} />?
        </>
      }
      verb={order === 'cancel' ? (isBack ? 'Cancel and roll back' : 'Cancel the deployment') : looks[order].verb}
      dismiss="Leave it"
      danger={isBack || order === 'cancel'}
      busy={isBusy}
      error={error}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      {order === 'cancel' && (
        <Choice
          label="What was done"
          value={andThen}
          options={[
            ['leave', 'Stays as it is'],
            ['rollback', 'Is rolled back'],
          ]}
          onChange={setAndThen}
        />
      )}
      {sentences.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
    </Confirm>
  )
}

const titles: Readonly<Record<Order, string>> = {
  pause: 'Pause the deployment of',
  resume: 'Go on with the deployment of',
  cancel: 'Cancel the deployment of',
  rollback: 'Roll back the deployment of',
}

const done: Readonly<Record<Order, string>> = {
  pause: 'It is paused',
  resume: 'It goes on',
  cancel: 'It is cancelled',
  rollback: 'It is being rolled back',
}
