import type { Bar, ServerMessage } from '../../../schemas/dashboard.ts'
import type { Outcome } from '../../../schemas/errors.ts'
import { startLink } from './link.ts'
import { createLooks, type Follower, type RecordsView } from './looks.ts'

/** How the live picture stands, for every page. */
export interface Standing {
  /** Whether there is a connection to the dashboard's server. */
  isConnected: boolean
  bar: Bar | null
  /** How far the server's clock is ahead of this one. */
  aheadMs: number
}

/** The live picture of the fleet, over one websocket. */
export type Live = ReturnType<typeof startLive>

export const startLive = (deps: { ticket: () => Promise<Outcome<{ ticket: string }>>; onEnded: () => void }) => {
  let standing: Standing = { isConnected: false, bar: null, aheadMs: 0 }
  const watchers = new Set<(standing: Standing) => void>()
  const stand = (change: Partial<Standing>): void => {
    standing = { ...standing, ...change }
    for (const watcher of [...watchers]) watcher(standing)
  }

  const looks = createLooks((message) => link.send(message))
  const onMessage = (message: ServerMessage): void => {
    if (message.kind === 'welcome') stand({ aheadMs: message.at - Date.now() })
    else if (message.kind === 'bar') stand({ bar: message.bar })
    else looks.take(message)
  }
  const link = startLink({
    ticket: deps.ticket,
    onEnded: deps.onEnded,
    onMessage,
    onOpen: () => {
      stand({ isConnected: true })
      looks.opened()
    },
    onAway: () => {
      if (standing.isConnected) stand({ isConnected: false })
      looks.lost()
    },
  })

  return {
    standing: () => standing,
    watch: (watcher: (standing: Standing) => void): (() => void) => {
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
    look: looks.look,
    follow: (view: RecordsView, follower: Follower) => looks.follow(view, follower),
    match: looks.match,
    close: link.close,
  }
}
