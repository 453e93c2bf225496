import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { type Clock, every } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import { BrowserMessage, type View } from '../../../schemas/dashboard.ts'
import { refused, wireError } from '../../../schemas/errors.ts'
import { matches, parseSelector } from '../../../schemas/selector.ts'
import type { ControllerApi } from '../controller-api.ts'
import { startFeed } from '../feeds/feed.ts'
import type { LiveTopics } from '../feeds/live-topics.ts'
import { type AskAs, type LogSource, runEvents, runLog, workloadLog } from '../feeds/source.ts'
import type { Guard } from '../guard.ts'
import type { Picture } from '../picture/picture.ts'
import type { Session, Sessions } from '../sessions.ts'
import type { Tickets } from '../tickets.ts'
import { type Browser, createBrowser, type Look } from './browser.ts'
import { startChecking } from './checking.ts'
import { createGate } from './gate.ts'
import { createViews } from './views.ts'

export interface SocketsDeps {
  fleet: string
  version: string
  guard: Guard
  tickets: Tickets<Session>
  sessions: Sessions
  picture: Picture
  topics: LiveTopics
  api: ControllerApi
  /** What may wait for a device is asked here. */
  logApi: ControllerApi
  clock: Clock
  log: Log
}

const mostBrowsers = 1000
const mostLooks = 32
/** So many questions for logs one page has under way, and so many words of it wait. */
const mostAsking = 32
const mostWaiting = 1000
const pingEveryMs = 20_000

/** The websockets of browsers: each says what it looks at, and gets that, and what becomes of it. */
export const createSockets = (deps: SocketsDeps) => {
  const { picture, clock, log } = deps
  // Snapshots of large fleets are worth compressing, what changes is not; no memory is kept from one message to the next.
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: 16 * 1024,
    perMessageDeflate: { threshold: 16 * 1024, serverNoContextTakeover: true, clientNoContextTakeover: true },
  })
  const views = createViews(picture, clock)
  const browsers = new Map<WebSocket, { browser: Browser; session: Session; isAlive: boolean; isWelcome: boolean }>()

  const everyLook = (use: (browser: Browser, look: Look) => void): void => {
    for (const { browser } of browsers.values()) for (const look of browser.looks.values()) use(browser, look)
  }

  /** Shows all of it; to one that is behind when it has caught up. */
  const show = (browser: Browser, look: Look): void => {
    if (!browser.keepsUp()) return
    const data = views.shown(look.at)
    if (data !== undefined) browser.say({ kind: 'show', id: look.id, at: clock.now(), data })
  }

  picture.onChange((change) => {
    const at = clock.now()
    const { bar } = change
    if (bar)
      for (const { browser, isWelcome } of browsers.values())
        if (isWelcome && browser.keepsUp()) browser.say({ kind: 'bar', at, bar })
    // Whoever looks at the same gets the same text: it is made once.
    const made = new Map<string, string | undefined>()
    const textFor = (view: View): string | undefined => {
      const key = JSON.stringify(view)
      if (!made.has(key)) {
        const data = views.changed(view, change)
        made.set(key, data === undefined ? undefined : `,"at":${at},"data":${JSON.stringify(data)}}`)
      }
      return made.get(key)
    }
    everyLook((browser, look) => {
      if (look.ring && (change.missed || ('task_id' in look.at && change.taskIds.has(look.at.task_id)))) return look.ring()
      const text = textFor(look.at)
      if (text !== undefined && browser.keepsUp()) browser.send(`{"kind":"change","id":${look.id}${text}`)
    })
  })

  const look = (browser: Browser, session: Session, id: number, at: View): void => {
    browser.leave(id)
    if (browser.looks.size >= mostLooks) {
      const error = wireError('too_many', `One page looks at ${mostLooks} things at most`)
      return browser.say({ kind: 'wrong', id, error })
    }
    const source = sourceOf(at, askingFor(browser, session))
    if (!source) {
      const one: Look = { id, at }
      browser.looks.set(id, one)
      const isReady = lookAround()
      if (at.view !== 'overview') return show(browser, one)
      return void isReady.then(() => {
        if (browser.looks.get(id) === one) show(browser, one)
      })
    }
    const feed = startFeed({
      source,
      topics: deps.topics,
      clock,
      after: 'after' in at ? at.after : 0,
      send: (records, next, { live, complete }) => browser.say({ kind: 'records', id, records, next, live, complete }),
      anew: () => browser.say({ kind: 'anew', id }),
      wrong: (error) => browser.say({ kind: 'wrong', id, error }),
      hasRoom: browser.hasRoom,
    })
    browser.looks.set(id, { id, at, close: feed.close, ring: feed.ring })
  }

  /** Who looks at another thing leaves a question behind: with too many of those under way the next one comes later. */
  const askingFor =
    (browser: Browser, session: Session): AskAs =>
    async (name, input) => {
      if (browser.asking >= mostAsking) return refused('unavailable', 'This page asks for too much at once')
      browser.asking++
      try {
        return await deps.logApi.ask(session.token, name, input)
      } finally {
        browser.asking--
      }
    }

  const sourceOf = (at: View, ask: AskAs): LogSource | undefined => {
    switch (at.view) {
      case 'log':
        return runLog(ask, deps.fleet, at.task_id, at.run)
      case 'events':
        return runEvents(ask, deps.fleet, at.task_id, at.run)
      case 'workload-log':
        return workloadLog(ask, deps.fleet, at.device, at.workload)
      default:
        return undefined
    }
  }

  const match = (browser: Browser, id: number, text: string): void => {
    if (!browser.keepsUp()) return browser.say({ kind: 'wrong', id, error: wireError('unavailable', 'This page is behind') })
    const selector = parseSelector(text)
    if (!selector.ok) {
      const details = [{ field: 'selector', code: 'invalid_selector', message: selector.reason }]
      return browser.say({ kind: 'wrong', id, error: wireError('invalid', `selector: ${selector.reason}`, details) })
    }
    const found = [...picture.devices.each()].filter(({ facts }) => matches(selector.requirements, facts.labels))
    browser.say({ kind: 'matches', id, devices: found.map(({ n }) => n) })
  }

  /** Lets the picture know what anybody looks at. Resolves when that can be shown. */
  const lookAround = (): Promise<void> => {
    let watchesOverview = false
    everyLook((_, { at }) => {
      watchesOverview ||= at.view === 'overview'
    })
    if (browsers.size === 0) picture.sleep()
    return picture.watchOverview(watchesOverview)
  }

  const receive = (browser: Browser, session: Session, raw: RawData): void => {
    const read = BrowserMessage.safeParse(jsonOf(raw))
    if (!read.success)
      return browser.say({ kind: 'wrong', id: null, error: wireError('invalid', 'The message is none that is known here') })
    const message = read.data
    switch (message.kind) {
      case 'look':
        return look(browser, session, message.id, message.at)
      case 'leave':
        browser.leave(message.id)
        return void lookAround()
      case 'match':
        return match(browser, message.id, message.selector)
    }
  }

  const accept = (socket: WebSocket, session: Session): void => {
    const browser = createBrowser(socket, clock)
    const entry = { browser, session, isAlive: true, isWelcome: false }
    browsers.set(socket, entry)
    // What it says before there is something to show waits its turn.
    const ready = picture.wake()
    let last: Promise<void> = ready.then(() => {
      entry.isWelcome = true
      browser.say({ kind: 'welcome', at: clock.now(), version: deps.version, fleet: deps.fleet })
      browser.say({ kind: 'bar', at: clock.now(), bar: picture.bar() })
    })
    let waiting = 0
    socket.on('message', (raw) => {
      if (++waiting > mostWaiting) return socket.terminate()
      last = last
        .then(() => {
          waiting--
          if (browsers.has(socket)) receive(browser, session, raw)
        })
        .catch((error: unknown) => log.error({ err: error }, 'what a browser said could not be done'))
    })
    socket.on('pong', () => {
      entry.isAlive = true
    })
    socket.on('error', (error) => log.debug({ err: error }, 'a websocket failed'))
    socket.on('close', () => {
      browser.leaveAll()
      browsers.delete(socket)
      void lookAround()
    })
  }

  const over = (session: Session, reason: string): void => {
    for (const [socket, entry] of browsers) {
      if (entry.session.id !== session.id) continue
      entry.browser.say({ kind: 'bye', reason })
      socket.close(4001, reason.slice(0, 100))
    }
  }

  const pinging = every(clock, pingEveryMs, () => {
    for (const [socket, entry] of browsers) {
      if (!entry.isAlive) socket.terminate()
      else {
        entry.isAlive = false
        socket.ping()
      }
    }
  })

  const catching = every(clock, 250, () => {
    for (const [socket, { browser }] of browsers) {
      if (browser.isStuck()) socket.terminate()
      else if (browser.hasCaughtUp()) {
        browser.say({ kind: 'bar', at: clock.now(), bar: picture.bar() })
        for (const one of browser.looks.values()) show(browser, one)
      }
    }
  })

  const checking = startChecking({
    ...{ api: deps.api, sessions: deps.sessions, clock, over },
    open: () => [...browsers.values()].map(({ session }) => session),
  })
  const gate = createGate({ ...deps, hasRoom: () => browsers.size < mostBrowsers })

  return {
    upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      socket.on('error', (error) => log.debug({ err: error }, 'a connection failed while it became a websocket'))
      const session = gate.admit(request, socket)
      if (session) server.handleUpgrade(request, socket, head, (accepted) => accept(accepted, session))
    },
    /** A session was signed out: its pages are told at once. */
    ended: (session: Session): void => over(session, 'signed out'),
    count: (): number => browsers.size,
    close: (): void => {
      for (const timer of [pinging, catching, checking]) timer.cancel()
      for (const socket of browsers.keys()) socket.close(1001, 'the dashboard ends')
      for (const socket of browsers.keys()) clock.after(500, () => socket.terminate())
      server.close()
    },
  }
}
export type Sockets = ReturnType<typeof createSockets>

const jsonOf = (raw: RawData): unknown => {
  try {
    return JSON.parse(Array.isArray(raw) ? Buffer.concat(raw).toString('utf8') : Buffer.from(raw as Buffer).toString('utf8')) // ws gives Buffers unless told otherwise
  } catch {
    return undefined // the schema refuses it
  }
}
