import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A TCP port on loopback that is free, for programs that cannot pick one themselves. It lies below those that the kernel gives to outgoing
 * connections, one of which would take it before its program does, and below those that `skein up` picks.
 */
export const freePort = async (): Promise<number> => {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(10_000, 20_000)
    if (await isFree(port)) return port
  }
  throw new Error('Cannot find a free port')
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
