/** What the broker counts, since its start and now; for metrics. */
export interface BrokerStats {
  /** Open now, those that have not logged in included. */
  connections: number
  /** Logged in now. */
  clients: number
  logins: number
  /** Logins that were refused, by the code of their CONNACK. */
  loginsRefused: { version: number; identifier: number; credentials: number; notAuthorized: number; unavailable: number }
  /** Connections that were closed before login: too many, too slow, or no MQTT. */
  connectionsRefused: number
  messagesIn: number
  messagesOut: number
  bytesIn: number
  bytesOut: number
  /** Publishes without the right. */
  publishesRefused: number
  /** Messages given up because too much waited for their client. */
  messagesDropped: number
  /** Clients closed because they took in nothing, or too slowly. */
  clientsStalled: number
  retainedMessages: number
  retainedBytes: number
  /** Sessions kept for clients that are away. */
  sessionsKept: number
}

export type Counters = Omit<BrokerStats, 'connections' | 'clients' | 'retainedMessages' | 'retainedBytes' | 'sessionsKept'>

export const createCounters = (): Counters => ({
  logins: 0,
  loginsRefused: { version: 0, identifier: 0, credentials: 0, notAuthorized: 0, unavailable: 0 },
  connectionsRefused: 0,
  messagesIn: 0,
  messagesOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  publishesRefused: 0,
  messagesDropped: 0,
  clientsStalled: 0,
})

/** The names of the codes of a CONNACK [MQTT-3.2.2.3]. */
export const refusalNames = {
  1: 'version',
  2: 'identifier',
  3: 'unavailable',
  4: 'credentials',
  5: 'notAuthorized',
} as const satisfies Record<number, keyof BrokerStats['loginsRefused']>
