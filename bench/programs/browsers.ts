import type { Socket } from 'node:net'
import WebSocket from 'ws'

/** Browsers without a screen, many of them: each signs in once, looks at one thing, and counts what comes over its wire. */
interface Settings {
  http: string
  token: string
  /** Which view each of them looks at. */
  views: string[]
}

const { http, token, views }: Settings = JSON.parse(process.argv[2] ?? '{}') // what the bench wrote

const signedIn = await fetch(`${http}/dashboard/session`, { method: 'POST', body: JSON.stringify({ token }) })
const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? ''

interface Browser {
  view: string
  socket: WebSocket
  wire: Socket | undefined
  frames: number
  /** What had come over the wire when counting began. */
  bytesAtBegin: number
}

const open = async (view: string): Promise<Browser> => {
  const answer = await fetch(`${http}/dashboard/ticket`, { method: 'POST', headers: { cookie, origin: http } })
  const { ticket } = (await answer.json()) as { ticket: string } // as the server promises
  const socket = new WebSocket(`${http.replace('http', 'ws')}/dashboard/socket?ticket=${ticket}`, { origin: http })
  const browser: Browser = { view, socket, wire: undefined, frames: 0, bytesAtBegin: 0 }
  socket.on('upgrade', (upgraded) => {
    browser.wire = upgraded.socket
  })
  await new Promise<void>((resolve, reject) => {
    socket.on('message', (data) => {
      browser.frames++
      if (String(data).includes('"kind":"show"')) resolve()
    })
    socket.on('open', () => socket.send(JSON.stringify({ kind: 'look', id: 1, at: { view } })))
    socket.on('error', reject)
    socket.on('close', (code) => {
      if (!isEnding) process.send?.({ kind: 'closed', view, code })
    })
  })
  return browser
}

let isEnding = false
const startedAt = performance.now()
const browsers = await Promise.all(views.map(open))
process.send?.({ kind: 'ready', openMs: Math.round(performance.now() - startedAt) })

let beganAt = 0
process.on('message', (note: { kind: string }) => {
  if (note.kind === 'begin') {
    beganAt = performance.now()
    for (const one of browsers) {
      one.frames = 0
      one.bytesAtBegin = one.wire?.bytesRead ?? 0
    }
  } else {
    const seconds = (performance.now() - beganAt) / 1000
    const of = (view: string) => browsers.filter((one) => one.view === view)
    const figures = [...new Set(views)].map((view) => ({
      view,
      browsers: of(view).length,
      worstBytesPerSecond: Math.max(...of(view).map((one) => ((one.wire?.bytesRead ?? 0) - one.bytesAtBegin) / seconds)),
      framesPerSecond: of(view).reduce((sum, one) => sum + one.frames, 0) / of(view).length / seconds,
    }))
    process.send?.({ kind: 'told', figures })
  }
})
process.on('disconnect', () => {
  isEnding = true
  process.exit(0)
})
