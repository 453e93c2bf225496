import { accepted, type Outcome, type WireError, wireError } from '../../schemas/errors.ts'
import { type AskerRole, askerRoles } from '../../schemas/operation.ts'
import type { ControllerApi } from './controller-api.ts'

/** Whose token it is, if it is a person's or a program's. */
export const personOf = async (
  api: ControllerApi,
  token: string,
): Promise<Outcome<{ subject: string; role: AskerRole; expiresAt: number }>> => {
  const outcome = await api.ask(token, 'token.self', {})
  if (!outcome.ok) {
    const { code, message } = outcome.error
    if (code === 'unavailable') return outcome
    if (code !== 'forbidden') return { ok: false, error: fault('token', 'unauthorized', message) }
  }
  const role = outcome.ok ? askerRoles.find((one) => one === outcome.output.role) : undefined
  if (!outcome.ok || !role)
    return { ok: false, error: fault('token', 'forbidden', 'This token is a device’s, or for joining: it is not for people') }
  return accepted({ subject: outcome.output.subject, role, expiresAt: Date.parse(outcome.output.expires_at) })
}

/** What is wrong with one field. */
export const fault = (field: string, code: 'invalid' | 'unauthorized' | 'forbidden', message: string): WireError =>
  wireError(code, message, [{ field, code, message }])
