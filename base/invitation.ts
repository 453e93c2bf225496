import { z } from 'zod'
import { WireError } from '../schemas/errors.ts'

const Invited = z.looseObject({ code: z.string(), subject: z.string(), expires_at: z.string() })
const Refused = z.looseObject({ error: WireError })

const withinMs = 5000

/**
 * Asks a dashboard for a link that signs its first visitor in as the holder of this token. The code stands behind the `#`, which browsers
 * keep to themselves. An Error says why there is none.
 */
export const linkToDashboard = async (
  http: string,
  token: string,
): Promise<{ url: string; subject: string; expires_at: string }> => {
  const asked = { method: 'POST', headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(withinMs) }
  let body: unknown
  try {
    body = await (await fetch(`${http}/dashboard/invitation`, asked)).json()
  } catch (error) {
    const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    throw new Error(`Cannot reach a dashboard at ${http}: ${why}`, { cause: error })
  }
  const refused = Refused.safeParse(body)
  if (refused.success) throw new Error(`The dashboard at ${http} refuses: ${refused.data.error.message}`)
  const { code, subject, expires_at } = Invited.parse(body)
  return { url: `${http}/login#${code}`, subject, expires_at }
}
