import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { Log } from '../base/log.ts'
import { mostAfterLogin } from './guard.ts'

export interface Listen {
  /** The address to bind to; 0 as a port picks a free one. */
  bind: string
  /** The address of the listener with TLS, if it is another one. */
  tlsBind?: string
  mqttPort: number
  wsPort: number
  /** Certificate and key as PEM. */
  tls?: { port: number; cert: string; key: string }
}

export interface Address {
  port: number
  url: string
}

/** Where the broker listens. */
export interface Addresses {
  mqtt: Address
  ws: Address
  mqtts?: Address
}

export interface Listeners {
  addresses: Addresses
  close(): Promise<void>
}

/** Opens the listeners: MQTT over TCP, over WebSocket and over TLS. All of them, or none and an Error. */
export const startListeners = async (listen: Listen, accept: (conn: Duplex) => void, log: Log): Promise<Listeners> => {
  const sockets = new Set<Socket>()
  const opened: Server[] = []
  const open = async (server: Server, scheme: string, port: number, bind = listen.bind): Promise<Address> => {
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      // One small packet after the other is MQTT's usual traffic: Nagle's algorithm would hold each for the peer's delayed ACK.
      socket.setNoDelay(true)
      // A peer that vanished without a word is noticed even if it asked for no keepalive.
      socket.setKeepAlive(true, 60_000)
    })
    await listening(server, bind, port)
    opened.push(server)
    server.on('error', (error) => log.error({ err: error, scheme }, 'listener failed'))
    const found = portOf(server)
    return { port: found, url: `${scheme}://${hostOf(bind)}:${found}` }
  }
  const close = async (): Promise<void> => {
    const closed = opened.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
  }

  try {
    const mqtt = await open(createServer(accept), 'mqtt', listen.mqttPort)
    const ws = await open(webSocketServer(accept, log), 'ws', listen.wsPort)
    const mqtts = listen.tls && (await open(tlsServer(listen.tls, accept, log), 'mqtts', listen.tls.port, listen.tlsBind))
    return { addresses: { mqtt, ws, ...(mqtts ? { mqtts } : {}) }, close }
  } catch (error) {
    await close()
    throw error
  }
}

const webSocketServer = (accept: (conn: Duplex) => void, log: Log): Server => {
  const http = createHttpServer((_, response) => {
    response.writeHead(426, { 'content-type': 'text/plain' }).end('MQTT over WebSocket is spoken here\n')
  })
  const server = new WebSocketServer({
    server: http,
    maxPayload: mostAfterLogin + 5, // a whole packet and its fixed header in one frame
    perMessageDeflate: false, // costs memory per connection, and most of what travels is small
    // The subprotocol is "mqtt" [MQTT-6.0.0-3]; that of MQTT 3.1 is granted to old clients.
    handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : offered.has('mqttv3.1') ? 'mqttv3.1' : false),
  })
  server.on('connection', (socket) => accept(createWebSocketStream(socket)))
  server.on('error', (error) => log.debug({ err: error }, 'WebSocket listener failed')) // those of the HTTP server come here too
  server.on('wsClientError', (error) => log.debug({ err: error }, 'not a WebSocket handshake'))
  return http
}

const tlsServer = (tls: { cert: string; key: string }, accept: (conn: Duplex) => void, log: Log): Server => {
  const server = createTlsServer({ cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2', handshakeTimeout: 10_000 }, accept)
  server.on('tlsClientError', (error) => log.debug({ err: error }, 'TLS handshake failed'))
  return server
}

const listening = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(new Error(`Cannot listen on ${hostOf(host)}:${port}`, { cause: error }))
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      resolve()
    })
  })

const portOf = (server: Server): number => {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new Error('Cannot tell the port of a listener that is not on TCP')
  return address.port
}

const hostOf = (bind: string): string => (bind.includes(':') ? `[${bind}]` : bind)
