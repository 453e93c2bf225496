import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { request as requestSecured } from 'node:https'
import { pipeline } from 'node:stream'
import { identityBeside } from '../../base/pinned-certificate.ts'
import { wireError } from '../../schemas/errors.ts'

/** Headers that belong to one connection and are not passed on [RFC 9110, 7.6.1]. */
const ofOneConnection = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

/**
 * Hands a request to the controller's own door and its answer back, byte for byte. The controller knows who asks by the token,
 * which passes through; nothing is decided here. With a `ca` a controller over TLS is trusted for that.
 */
export const forwardTo =
  (api: string, ca: string | undefined) =>
  (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { protocol, hostname, port } = new URL(api)
    const secured = ca === undefined ? {} : { ca, checkServerIdentity: identityBeside(ca) }
    const forward = (protocol === 'https:' ? requestSecured : request)({
      ...secured,
      host: hostname.replace(/^\[|\]$/g, ''),
      port,
      method: incoming.method,
      path: incoming.url,
      headers: passedOn(incoming.headers),
    })
    forward.setTimeout(60_000, () => forward.destroy(new Error('no answer within 60 s')))
    forward.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, passedOn(answer.headers))
      // One that breaks off in the middle breaks off here too: who asked must not wait for the rest.
      pipeline(answer, outgoing, () => undefined)
    })
    forward.on('error', (error) => {
      if (outgoing.headersSent) return void outgoing.destroy()
      const body = JSON.stringify({ error: wireError('unavailable', `Cannot reach the controller at ${api}: ${error.message}`) })
      outgoing.writeHead(503, { 'content-type': 'application/json; charset=utf-8' }).end(body)
    })
    outgoing.on('close', () => forward.destroy())
    incoming.pipe(forward)
  }

const passedOn = <V>(headers: Readonly<Record<string, V>>): Record<string, V> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !ofOneConnection.has(name)))
