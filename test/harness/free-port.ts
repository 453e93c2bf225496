import { createServer } from 'node:net'

/** A TCP port on loopback that is free at this moment, for programs that cannot pick one themselves. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port)
        else reject(new Error('Cannot tell the port of a listener'))
      })
    })
  })
