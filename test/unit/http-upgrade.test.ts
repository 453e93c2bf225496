import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { systemClock } from '../../base/clock.ts'
import { type HttpDoors, openHttpDoors } from '../../base/http-doors.ts'
import { silentLog } from '../../base/log.ts'

let doors: HttpDoors
let hasBegun: Promise<unknown>
const sockets: Socket[] = []
beforeEach(async () => {
  const server = new WebSocketServer({ noServer: true })
  hasBegun = once(server, 'connection')
  const handler: Parameters<typeof openHttpDoors>[1] = (request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => response.end(`${request.method} ${request.url} ${request.headers.upgrade} ${body}`))
  }
  doors = await openHttpDoors({ bind: '127.0.0.1', port: 0 }, handler, {
    log: silentLog,
    clock: systemClock,
    upgrade: (request, socket, head) => {
      if (request.url === '/throw') throw new Error('a bug')
      server.handleUpgrade(request, socket, head, (accepted) => server.emit('connection', accepted))
    },
  })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await doors.close()
})

const said = (text: string): { socket: Socket; answer: () => string; ended: Promise<unknown> } => {
  const socket = connect(doors.http.port, '127.0.0.1')
  sockets.push(socket)
  let answer = ''
  socket.on('data', (part) => {
    answer += String(part)
  })
  socket.on('error', () => undefined)
  const ended = once(socket, 'close')
  socket.write(text)
  return { socket, answer: () => answer, ended }
}
const offering = (protocol: string): string => `Host: localhost\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n`

describe('openHttpDoors() with websockets', () => {
  test('who offers another protocol is served without it, its body too, and on the same connection again', async () => {
    const { socket, answer, ended } = said(`POST /a HTTP/1.1\r\n${offering('h2c')}Content-Length: 5\r\n\r\nhello`)
    await expect.poll(answer).toContain('POST /a undefined hello')
    expect(answer()).toMatch(/^HTTP\/1.1 200 OK/)
    socket.write(`GET /b HTTP/1.1\r\n${offering('h2c')}\r\n`)
    await expect.poll(answer).toContain('GET /b undefined ')
    socket.write('GET /c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    await expect.poll(answer).toContain('GET /c undefined ')
    await ended
  })

  test('a fault on the way to a websocket ends that connection, and nothing else', async () => {
    const { answer, ended } = said(`GET /throw HTTP/1.1\r\n${offering('websocket')}\r\n`)
    await ended
    expect(answer()).toBe('')
    expect((await fetch(`${doors.http.url}/x`)).status).toBe(200)
  })

  test('close() ends open websockets at once', async () => {
    const page = new WebSocket(`${doors.http.url.replace('http', 'ws')}/`)
    const closed = once(page, 'close')
    await Promise.all([hasBegun, once(page, 'open')])
    page.on('error', () => undefined)
    await doors.close()
    await closed
  })
})
