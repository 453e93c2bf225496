import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createSecureServer, Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Address, addressOf } from './addresses.ts'
import { type CertificateFiles, minTlsVersion, readCertificate, watchCertificate } from './certificate.ts'
import type { Clock } from './clock.ts'
import { type Closable, startLifetime } from './lifecycle.ts'
import type { Log } from './log.ts'

/** Where HTTP is to be served; 0 as a port picks a free one. */
export interface HttpListen {
  bind: string
  port: number
  /** The same over TLS, beside it. */
  tls?: CertificateFiles & { bind: string; port: number }
}

/** Takes a connection that wants to go on as a websocket. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface HttpDoors extends Closable {
  http: Address
  https?: Address
  /** Reads certificate and key again; that happens by itself when the files change. */
  reloadCertificate(): Promise<void>
}

/** Slow or stuck clients give their connection back. */
const patience: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5000,
}

/** Serves HTTP, and where there is a certificate HTTPS too. Both, or none and an Error. */
export const openHttpDoors = async (
  { bind, port, tls }: HttpListen,
  handler: RequestListener,
  deps: { log: Log; clock: Clock; upgrade?: Upgrade | undefined },
): Promise<HttpDoors> => {
  const lifetime = startLifetime()
  const open = async (server: Server, scheme: string, at: { bind: string; port: number }): Promise<Address> => {
    await listening(server, at.bind, at.port)
    const upgraded = new Set<Duplex>()
    lifetime.own({ close: () => closeServer(server, upgraded) })
    const { upgrade } = deps
    if (upgrade)
      server.on('upgrade', (request, socket, head) => {
        if (request.headers.upgrade?.toLowerCase() !== 'websocket') return serveAsIs(server, request, socket, head)
        upgraded.add(socket)
        socket.once('close', () => upgraded.delete(socket))
        try {
          upgrade(request, socket, head)
        } catch (error) {
          deps.log.error({ err: error }, 'a connection could not go on as a websocket')
          socket.destroy()
        }
      })
    server.on('error', (error) => deps.log.error({ err: error, scheme }, 'HTTP listener failed'))
    return addressOf(scheme, at.bind, (server.address() as AddressInfo).port) // it listens on TCP, so this is not the name of a pipe
  }
  try {
    const http = await open(createServer(patience, handler), 'http', { bind, port })
    if (!tls) return { http, reloadCertificate: async () => undefined, close: lifetime.close }
    const how = { ...patience, ...(await readCertificate(tls)), minVersion: minTlsVersion, handshakeTimeout: 10_000 } as const
    const secured = createSecureServer(how, handler)
    secured.on('tlsClientError', (error) => deps.log.debug({ err: error }, 'TLS handshake failed'))
    const https = await open(secured, 'https', tls)
    // Connections that are open keep the certificate with which they began.
    const watched = watchCertificate(tls, (now) => secured.setSecureContext({ ...now, minVersion: minTlsVersion }), deps)
    lifetime.own(watched)
    return { http, https, reloadCertificate: watched.reload, close: lifetime.close }
  } catch (error) {
    await lifetime.close()
    throw error
  }
}

const listening = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(new Error(`Cannot listen for HTTP on ${host}:${port}`, { cause: error }))
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      resolve()
    })
  })

/**
 * A client that offers another protocol, as `h2c`, may be served without it [RFC 9110, 7.8]; but Node hands over each connection with such an
 * offer. So it is given back, with the same request without the offer.
 */
const serveAsIs = (
  server: Server,
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void => {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit(server instanceof SecureServer ? 'secureConnection' : 'connection', socket)
}

/** Answers what is under way, for two seconds at most. A websocket is never through, and the server does not know it any more. */
const closeServer = (server: Server, upgraded: ReadonlySet<Duplex>): Promise<void> =>
  new Promise((resolve) => {
    for (const socket of upgraded) socket.destroy()
    const timer = setTimeout(() => server.closeAllConnections(), 2000)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
