import WebSocket from 'ws'
import type { ServerMessage, View } from '../../schemas/dashboard.ts'
import type { LogRecord } from '../../schemas/log.ts'
import { eventually } from './eventually.ts'

/** A browser without a screen: signs in at the dashboard, keeps its cookie, and looks at things over the websocket. */
export const signIn = async (http: string, token: string) => {
  const answer = await fetch(`${http}/dashboard/session`, {
    method: 'POST',
    body: JSON.stringify({ token }),
    headers: { origin: http },
  })
  const body: unknown = await answer.json()
  const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? ''

  const ask = (method: string, path: string, how: { body?: unknown; headers?: Record<string, string> } = {}): Promise<Response> =>
    fetch(`${http}${path}`, {
      method,
      headers: { cookie, ...(method === 'GET' ? {} : { origin: http }), ...how.headers },
      ...(how.body === undefined ? {} : { body: JSON.stringify(how.body) }),
    })

  const ticket = async (): Promise<string> => {
    const given = (await (await ask('POST', '/dashboard/ticket')).json()) as { ticket: string } // as the server promises
    return given.ticket
  }
  return { status: answer.status, body, cookie, setCookie: answer.headers.get('set-cookie'), ask, ticket, http }
}
export type SignedIn = Awaited<ReturnType<typeof signIn>>

/** Whether a websocket is let in, and if not with which status it is refused. */
export const openSocket = (http: string, path: string, origin: string | undefined): Promise<WebSocket | number> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`${http.replace(/^http/, 'ws')}${path}`, origin === undefined ? {} : { origin })
    socket.on('open', () => resolve(socket))
    socket.on('unexpected-response', (_, answer) => {
      resolve(answer.statusCode ?? 0)
      socket.terminate()
    })
    socket.on('error', reject)
  })

/** A websocket of somebody who is signed in, with all that was said to it. */
export const lookAt = async (who: SignedIn, ...views: readonly View[]) => {
  const socket = await openSocket(who.http, `/dashboard/socket?ticket=${await who.ticket()}`, who.http)
  if (typeof socket === 'number') throw new Error(`The websocket was refused with ${socket}`)
  const messages: ServerMessage[] = []
  let closed: number | undefined
  socket.on('message', (data) => messages.push(JSON.parse(String(data)) as ServerMessage)) // as the server promises
  socket.on('close', (code) => {
    closed = code
  })
  socket.on('error', () => undefined) // its end is what is looked at
  const look = (id: number, at: View): void => socket.send(JSON.stringify({ kind: 'look', id, at }))
  views.forEach((at, i) => {
    look(i + 1, at)
  })
  const of = (id: number) => messages.filter((one) => 'id' in one && one.id === id)
  return {
    socket,
    messages,
    look,
    send: (message: unknown): void => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    /** The data of a view as it is now: what was shown, with what has changed since. */
    // biome-ignore lint/suspicious/noExplicitAny: tests look into views of every shape
    now: (id: number): any =>
      of(id).reduce<unknown>((data, one) => {
        if (one.kind === 'show') return one.data
        return one.kind === 'change' ? { ...Object(data), ...Object(one.data) } : data
      }, undefined),
    records: (id: number): LogRecord[] => {
      const all = of(id)
      const from = all.findLastIndex((one) => one.kind === 'anew') + 1
      return all.slice(from).flatMap((one) => (one.kind === 'records' ? [...one.records] : []))
    },
    isComplete: (id: number): boolean => of(id).some((one) => one.kind === 'records' && one.complete),
    next: <K extends ServerMessage['kind']>(kind: K, withinMs?: number): Promise<Extract<ServerMessage, { kind: K }>> =>
      eventually(
        `a message "${kind}"`,
        () => messages.find((one): one is Extract<ServerMessage, { kind: K }> => one.kind === kind),
        withinMs,
      ),
    closed: () => closed,
    close: (): void => socket.terminate(),
  }
}
export type Looking = Awaited<ReturnType<typeof lookAt>>
