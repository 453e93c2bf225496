import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import { type Address, addressOf } from '../base/addresses.ts'
import { type Certificate, type CertificateFiles, minTlsVersion, readCertificate, watchCertificate } from '../base/certificate.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { usualLimits } from './limits.ts'

export interface Listen {
  /** The address to bind to; 0 as a port picks a free one. */
  bind: string
  /** The address of the listener with TLS, if it is another one. */
  tlsBind?: string
  mqttPort: number
  wsPort: number
  /** Over TLS there are MQTT and, with a port of its own, WebSocket. */
  tls?: CertificateFiles & { port: number; wssPort?: number }
}

/** Where the broker listens. */
export interface Addresses {
  mqtt: Address
  ws: Address
  mqtts?: Address
  wss?: Address
}

/** Takes a connection, and the address that it comes from. */
export type Accept = (conn: Duplex, address: string) => void

export interface Listeners {
  addresses: Addresses
  /** Reads certificate and key again. */
  reloadCertificate(): Promise<void>
  close(): Promise<void>
}

/** Opens the listeners: MQTT over TCP, over WebSocket and over TLS. All of them, or none and an Error. */
export const startListeners = async (listen: Listen, accept: Accept, deps: { log: Log; clock: Clock }): Promise<Listeners> => {
  const { log } = deps
  const sockets = new Set<Socket>()
  const opened: Server[] = []
  const open = async (server: Server, scheme: string, port: number, bind = listen.bind): Promise<Address> => {
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      // One small packet after the other is MQTT's usual traffic: Nagle's algorithm would hold each for the peer's delayed ACK.
      socket.setNoDelay(true)
      // A peer that has vanished without a word is noticed within 70 s, though it asked for no keepalive: 60 s, then ten probes.
      socket.setKeepAlive(true, 60_000)
    })
    await listening(server, bind, port)
    opened.push(server)
    server.on('error', (error) => log.error({ err: error, scheme }, 'listener failed'))
    return addressOf(scheme, bind, portOf(server))
  }
  let watched: ReturnType<typeof watchCertificate> | undefined
  const close = async (): Promise<void> => {
    watched?.close()
    const closed = opened.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
  }

  try {
    const mqtt = await open(createServer(acceptSocket(accept)), 'mqtt', listen.mqttPort)
    const ws = await open(webSocketOn(createHttpServer(explain), accept, log), 'ws', listen.wsPort)
    const addresses: Addresses = { mqtt, ws }
    const { tls, tlsBind } = listen
    if (tls) {
      const secured = securedServers(await readCertificate(tls), accept, log)
      addresses.mqtts = await open(secured.mqtts, 'mqtts', tls.port, tlsBind)
      if (tls.wssPort !== undefined) addresses.wss = await open(secured.wss, 'wss', tls.wssPort, tlsBind)
      // Connections that are open keep the certificate with which they began.
      const use = ({ cert, key }: Certificate): void => {
        for (const server of [secured.mqtts, secured.wss]) server.setSecureContext({ cert, key, minVersion: minTlsVersion })
      }
      watched = watchCertificate(tls, use, deps)
    }
    return { addresses, reloadCertificate: async () => watched?.reload(), close }
  } catch (error) {
    await close()
    throw error
  }
}

const acceptSocket =
  (accept: Accept) =>
  (socket: Socket): void =>
    accept(socket, socket.remoteAddress ?? '')

const explain: RequestListener = (_, response) => {
  response.writeHead(426, { 'content-type': 'text/plain' }).end('MQTT over WebSocket is spoken here\n')
}

const webSocketOn = <S extends HttpServer | HttpsServer>(http: S, accept: Accept, log: Log): S => {
  const server = new WebSocketServer({
    server: http,
    maxPayload: usualLimits.packetBytes + 5, // a whole packet and its fixed header in one frame
    perMessageDeflate: false, // costs memory per connection, and most of what travels is small
    // The subprotocol is "mqtt" [MQTT-6.0.0-3]; that of MQTT 3.1 is granted to old clients.
    handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : offered.has('mqttv3.1') ? 'mqttv3.1' : false),
  })
  server.on('connection', (socket, request) => {
    closeOnText(socket)
    accept(createWebSocketStream(socket), request.socket.remoteAddress ?? '')
  })
  server.on('error', (error) => log.debug({ err: error }, 'WebSocket listener failed')) // those of the HTTP server come here too
  server.on('wsClientError', (error) => log.debug({ err: error }, 'not a WebSocket handshake'))
  return http
}

/** Frames must be binary [MQTT-6.0.0-1]. */
const closeOnText = (socket: WebSocket): void => {
  socket.on('message', (_, isBinary) => {
    if (!isBinary) socket.terminate()
  })
}

const securedServers = (certificate: Certificate, accept: Accept, log: Log): { mqtts: TlsServer; wss: HttpsServer } => {
  const how = { ...certificate, minVersion: minTlsVersion, handshakeTimeout: 10_000 } as const
  const mqtts = createTlsServer(how, acceptSocket(accept))
  const wss = webSocketOn(createHttpsServer(how, explain), accept, log)
  for (const server of [mqtts, wss]) server.on('tlsClientError', (error) => log.debug({ err: error }, 'TLS handshake failed'))
  return { mqtts, wss }
}

const listening = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new Error(`Cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}`, { cause: error }))
    server.once('error', failed)
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', failed)
      resolve()
    })
  })

const portOf = (server: Server): number => {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new Error('Cannot tell the port of a listener that is not on TCP')
  return address.port
}
