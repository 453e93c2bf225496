import type { WebSocket } from 'ws'
import type { Clock } from '../../../base/clock.ts'
import type { ServerMessage, View } from '../../../schemas/dashboard.ts'

/** Something that a browser looks at. */
export interface Look {
  id: number
  at: View
  /** Feeds have something to end. */
  close?: () => void
  /** Called when something may have changed that a feed should ask about. */
  ring?: () => void
}

/** Beyond this nothing more is put into a browser's pipe: when it has emptied it gets all of it anew. */
const fullBytes = 1024 * 1024
const emptyBytes = 64 * 1024
/** Logs wait earlier, so that what is small gets through beside them. */
const feedBytes = 512 * 1024
const stuckMs = 60_000
/** Somebody who asks and asks and never reads. */
const mostBytes = 32 * 1024 * 1024

/** One browser: what it looks at, and how much it still has to take in. */
export const createBrowser = (socket: WebSocket, clock: Clock) => {
  const looks = new Map<number, Look>()
  let isBehind = false
  let behindSince = 0

  const send = (text: string): void => {
    if (socket.bufferedAmount > mostBytes) return socket.terminate()
    if (socket.readyState === socket.OPEN) socket.send(text)
  }

  return {
    looks,
    /** How many questions are under way for it. */
    asking: 0,
    send,
    say: (message: ServerMessage): void => send(JSON.stringify(message)),
    /** Whether what changes may be sent. If not, it is not kept either. */
    keepsUp: (): boolean => {
      if (isBehind || socket.bufferedAmount <= fullBytes) return !isBehind
      isBehind = true
      behindSince = clock.mono()
      return false
    },
    hasRoom: (): boolean => socket.bufferedAmount < feedBytes,
    /** Whether it has caught up since, and needs all of what it looks at anew. */
    hasCaughtUp: (): boolean => {
      if (!isBehind || socket.bufferedAmount > emptyBytes) return false
      isBehind = false
      return true
    },
    isStuck: (): boolean => isBehind && clock.mono() - behindSince > stuckMs,
    leave: (id: number): void => {
      looks.get(id)?.close?.()
      looks.delete(id)
    },
    leaveAll: (): void => {
      for (const look of looks.values()) look.close?.()
      looks.clear()
    },
  }
}
export type Browser = ReturnType<typeof createBrowser>
