/** What the broker takes from others, at most. Every number is a bound on memory or on time that a stranger could use up. */
export interface Limits {
  /** The largest packet of somebody who has not logged in: a CONNECT with a token and a will is far below it. */
  packetBeforeLoginBytes: number
  /** The largest packet of anybody. The profile's messages are at most 128 KiB; other clients' may be larger. */
  packetBytes: number
  /** From the connection to the end of its CONNECT. */
  loginMs: number
  /** Levels of a topic or filter. The deepest of ours have 8, and more than 100 Aedes does not take. */
  levels: number
  clientIdChars: number
  filtersPerClient: number
  /** The length of all filters of a client together: each of them may be as long as a topic can be. */
  filterCharsPerClient: number
  /** Connections in all, and from one address that is not loopback. */
  connections: number
  connectionsPerAddress: number
  /** Connections that have not sent their CONNECT yet: the oldest makes room for the next. */
  silentConnections: number
  /** What may wait for one client. One that is connected and lets more pile up is closed; of one that is away the oldest are dropped. */
  waitingBytes: number
  /** The same for a session that is kept while its client is away. */
  awayBytes: number
  awayMessages: number
  /** Messages of QoS 0 are for now: none is added where this much waits already. */
  waitingBytesForQos0: number
  /** What is handed to a socket before its other end takes some of it. */
  unsentBytes: number
  /** A client that takes in nothing for so long is closed. */
  stalledMs: number
  /** How long those who publish to a client wait when it is full, before its messages pile up or are dropped. */
  patienceMs: number
  /** Messages sent to one client and not acknowledged yet; there are identifiers for 65,535. One that goes beyond is closed. */
  inFlight: number
  /** Messages of QoS 2 that one client has begun to hand over. */
  halfReceived: number
  keptSessions: number
  keptSessionMs: number
  keptSessionsBytes: number
  retainedMessages: number
  retainedBytes: number
}

export const usualLimits: Limits = {
  packetBeforeLoginBytes: 64 * 1024,
  packetBytes: 1024 * 1024,
  loginMs: 5000,
  levels: 100,
  clientIdChars: 256,
  filtersPerClient: 10_000,
  filterCharsPerClient: 1024 * 1024,
  connections: 20_000,
  connectionsPerAddress: 2000,
  silentConnections: 4000,
  waitingBytes: 16 * 1024 * 1024,
  awayBytes: 8 * 1024 * 1024,
  awayMessages: 10_000,
  waitingBytesForQos0: 2 * 1024 * 1024,
  unsentBytes: 256 * 1024,
  stalledMs: 15_000,
  patienceMs: 100,
  inFlight: 60_000,
  halfReceived: 4096,
  keptSessions: 10_000,
  keptSessionMs: 24 * 3_600_000,
  keptSessionsBytes: 256 * 1024 * 1024,
  retainedMessages: 100_000,
  retainedBytes: 256 * 1024 * 1024,
}
