import { Agent as HttpAgent, request as requestPlain } from 'node:http'
import { Agent as HttpsAgent, request as requestSecured } from 'node:https'
import { identityBeside } from '../../base/pinned-certificate.ts'
import { type Outcome, refused, WireError } from '../../schemas/errors.ts'
import { type InputOf, type OperationName, type OutputOf, operations } from '../../schemas/operations.ts'

const withinMs = 70_000

/**
 * Asks the controller by its REST, as anybody would, with the token of whoever wants to know. A controller that is away is a refusal
 * (`unavailable`) like any other.
 */
export const createControllerApi = (where: () => string, ca: string | undefined) => {
  const trust = ca === undefined ? {} : { ca, checkServerIdentity: identityBeside(ca) }
  const agents = {
    plain: new HttpAgent({ keepAlive: true, maxSockets: 32 }),
    secured: new HttpsAgent({ keepAlive: true, maxSockets: 32, ...trust }),
  }

  const send = (
    token: string,
    method: string,
    path: string,
    body: string | undefined,
  ): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const isSecured = where().startsWith('https:')
      const options = {
        method,
        agent: isSecured ? agents.secured : agents.plain,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      }
      const asked = (isSecured ? requestSecured : requestPlain)(`${where()}/api/v1${path}`, options, (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }))
        answer.on('error', reject)
      })
      asked.setTimeout(withinMs, () => asked.destroy(new Error(`no answer within ${withinMs / 1000} s`)))
      asked.on('error', reject)
      asked.end(body)
    })

  const ask = async <N extends OperationName>(
    token: string,
    name: N,
    input: Fields<InputOf<N>>,
  ): Promise<Outcome<OutputOf<N>>> => {
    const { method, path } = operations[name].http
    const fields: Record<string, unknown> = { ...input }
    const filled = path.replace(/\{(\w+)\}/g, (_, field: string) => {
      const value = String(fields[field])
      delete fields[field]
      return encodeURIComponent(value)
    })
    const query = new URLSearchParams(
      Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as [string, string]])),
    ).toString()
    try {
      const { status, text } =
        method === 'get'
          ? await send(token, 'GET', query === '' ? filled : `${filled}?${query}`, undefined)
          : await send(token, method.toUpperCase(), filled, JSON.stringify(fields))
      const answer: unknown = JSON.parse(text)
      if (status < 300) return { ok: true, output: answer as OutputOf<N> } // our own controller answers by the same table
      const told = WireError.safeParse(Object(answer).error)
      return told.success
        ? { ok: false, error: told.data }
        : refused('unavailable', `The controller answered with status ${status}`)
    } catch (error) {
      return refused('unavailable', `The controller cannot be reached: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  return {
    ask,
    close: (): void => {
      agents.plain.destroy()
      agents.secured.destroy()
    },
  }
}
export type ControllerApi = ReturnType<typeof createControllerApi>

/** What has a usual value need not be given. */
type Fields<T> = { [K in keyof T]?: T[K] | undefined }
