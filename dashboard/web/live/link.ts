import type { BrowserMessage, ServerMessage } from '../../../schemas/dashboard.ts'
import type { Outcome } from '../../../schemas/errors.ts'
import { waitBefore } from './backoff.ts'

export interface LinkDeps {
  /** A ticket opens the socket once. */
  ticket: () => Promise<Outcome<{ ticket: string }>>
  onOpen: () => void
  onMessage: (message: ServerMessage) => void
  onAway: () => void
  /** The session has ended: nothing is tried any more. */
  onEnded: () => void
}

/** After so long without a word the server is asked for one, and then given so long to answer. */
const silenceMs = 30_000
const answerMs = 10_000
/** A tab that nobody has seen for so long looks at nothing. */
const hiddenMs = 30_000

/** Keeps one websocket to the server open: with growing waits after failures, and none while the tab is hidden. */
export const startLink = (deps: LinkDeps): { send: (message: BrowserMessage) => void; close: () => void } => {
  let socket: WebSocket | undefined
  let attempt = 0
  /** Rises with each connection and each end of one: what an older one still says is void. */
  let turn = 0
  let retry: ReturnType<typeof setTimeout> | undefined
  let silence: ReturnType<typeof setTimeout> | undefined
  let hidden: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  const send = (message: BrowserMessage): void => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
  }

  const connect = async (): Promise<void> => {
    clearTimeout(retry)
    const mine = ++turn
    const ticket = await deps.ticket()
    if (mine !== turn) return
    if (!ticket.ok) return ticket.error.code === 'unauthorized' ? end() : later()
    const url = new URL('/dashboard/socket', location.href)
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
    url.searchParams.set('ticket', ticket.output.ticket)
    socket = new WebSocket(url)
    socket.onopen = () => {
      if (mine !== turn) return
      watch()
      deps.onOpen()
    }
    socket.onmessage = ({ data }) => {
      if (mine !== turn) return
      watch()
      const message = JSON.parse(String(data)) as ServerMessage // our own server's
      // Not before the first word: a server that opens and closes at once would be asked without a pause.
      attempt = 0
      if (message.kind === 'bye') return end()
      deps.onMessage(message)
    }
    socket.onclose = () => {
      if (mine === turn) drop()
    }
  }

  const later = (): void => {
    clearTimeout(retry)
    retry = setTimeout(() => void connect(), waitBefore(attempt++, Math.random()))
  }

  const release = (): void => {
    turn++
    clearTimeout(retry)
    clearTimeout(silence)
    socket?.close()
    socket = undefined
    deps.onAway()
  }

  const drop = (): void => {
    release()
    later()
  }

  const end = (): void => {
    close()
    deps.onEnded()
  }

  /** A connection that died without a sign is noticed by its silence. No device meets the selector, so the answer is short. */
  const watch = (): void => {
    clearTimeout(silence)
    silence = setTimeout(() => {
      send({ kind: 'match', id: 0, selector: 'drained,!drained' })
      silence = setTimeout(drop, answerMs)
    }, silenceMs)
  }

  const onVisibility = (): void => {
    clearTimeout(hidden)
    if (document.visibilityState === 'hidden') hidden = setTimeout(release, hiddenMs)
    else wake()
  }

  const wake = (): void => {
    if (isClosed || socket || document.visibilityState === 'hidden') return
    attempt = 0
    void connect()
  }

  const onOffline = (): void => {
    if (socket) drop()
  }

  const close = (): void => {
    if (isClosed) return
    isClosed = true
    clearTimeout(hidden)
    document.removeEventListener('visibilitychange', onVisibility)
    removeEventListener('online', wake)
    removeEventListener('offline', onOffline)
    release()
  }

  document.addEventListener('visibilitychange', onVisibility)
  addEventListener('online', wake)
  addEventListener('offline', onOffline)
  void connect()
  return { send, close }
}
