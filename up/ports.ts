import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'

export const portKeys = [
  'mqtt_port',
  'ws_port',
  'tls_port',
  'wss_port',
  'http_port',
  'https_port',
  'api_port',
  'api_tls_port',
] as const
export type PortKey = (typeof portKeys)[number]
export type Ports = Record<PortKey, number>

const Remembered = z.partialRecord(z.enum(portKeys), z.number().int().min(1).max(65_535))

/** Gives every port that is wanted as 0 a free one, the same as last time: what it picks it writes to `file`. */
export const pickPorts = async (wanted: Ports, bind: string, file: string): Promise<Ports> => {
  const remembered = readRemembered(file)
  const picked: Partial<Ports> = {}
  const ports = { ...wanted }
  for (const key of portKeys) {
    if (wanted[key] !== 0) continue
    const taken = new Set([...Object.values(ports), ...Object.values(remembered)])
    const port = remembered[key] ?? (await freePort(bind, taken))
    ports[key] = port
    picked[key] = port
  }
  if (Object.entries(picked).some(([key, port]) => remembered[key as PortKey] !== port))
    // the keys are those of `picked`
    writeFileAtomic(file, `${JSON.stringify({ ...remembered, ...picked }, null, 2)}\n`)
  return ports
}

const readRemembered = (file: string): Partial<Ports> => {
  try {
    const read = Remembered.safeParse(JSON.parse(readFileSync(file, 'utf8')))
    // Undefined values do not exist after JSON, whatever the type says.
    return read.success ? (read.data as Partial<Ports>) : {}
  } catch {
    return {} // there is no such file yet, or it is damaged: new ports are picked and written
  }
}

/**
 * Below the range that the kernel gives to outgoing connections (from 32768): a port in there can be taken by any client while
 * its server restarts, even by one that connects to that very port and so to itself.
 */
const freePort = async (bind: string, taken: ReadonlySet<number>): Promise<number> => {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(20_000, 32_000)
    if (!taken.has(port) && (await isFree(bind, port))) return port
  }
  throw new Error(`Cannot find a free port on "${bind}"`)
}

const isFree = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
