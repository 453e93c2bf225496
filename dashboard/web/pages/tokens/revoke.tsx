import type { OutputOf } from '../../../../schemas/operations.ts'
import type { ListedToken } from '../../../../schemas/token.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { Plain } from '../../parts/plain.tsx'
import { useToast } from '../../parts/toast.tsx'
import { useSession } from '../../session/session.ts'

interface RevokeDialogProps {
  token: ListedToken
  onClose: () => void
  onRevoked: () => void
}

/** Asks before a token is revoked, and says who is cut off. */
export const RevokeDialog = ({ token, onClose, onRevoked }: RevokeDialogProps) => {
  const ask = useApi()
  const toast = useToast()
  const { subject } = useSession()
  const { run, isBusy, error } = useAction(
    () => ask<OutputOf<'token.revoke'>>('POST', `/tokens/${encodeURIComponent(token.id)}/revoke`),
    () => {
      toast('good', `The token of ${token.name} was revoked`)
      onRevoked()
    },
  )
  return (
    <Confirm
      title={
        <>
          Revoke the token of <Plain text={token.name} />?
        </>
      }
      verb="Revoke"
      danger
      busy={isBusy}
      error={error}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      <p>{consequenceOf(token)}</p>
      <p>This cannot be taken back; a new token can be made.</p>
      {token.name === subject && token.role !== 'device' && (
        <p>
          <strong>It carries your own name: if you have signed in with it, you will be signed out.</strong>
        </p>
      )}
    </Confirm>
  )
}

const consequenceOf = ({ role, name, uses = 1, used = 0 }: ListedToken): string => {
  if (role === 'join') return `No more devices can join with it. ${used} of ${uses} have joined with it, and stay.`
  if (role === 'device') return `${name} is cut off at once, and has to join anew. What it runs goes on.`
  return 'Whoever uses it is refused from now on, and connections that were made with it are closed.'
}
