import pino from 'pino'

export type Log = pino.Logger

/** JSON lines on stderr; the level from the configuration. Facts first, then a constant message. */
export const startLog = (part: string, level: string): Log =>
  pino({ level, base: { part }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }))

export const silentLog: Log = pino({ level: 'silent' })
