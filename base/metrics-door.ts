import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Closable } from './lifecycle.ts'
import { metricsType } from './metrics.ts'

/** Serves `/metrics` on loopback, to whoever is on this machine: for parts that have no HTTP door of their own. */
export const openMetricsDoor = async (port: number, render: () => string): Promise<Closable & { port: number }> => {
  const server = createServer({ headersTimeout: 5000, requestTimeout: 5000 }, (request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics')
      return void response.writeHead(404, { 'content-type': 'text/plain' }).end('There is /metrics here\n')
    response.writeHead(200, { 'content-type': metricsType }).end(render())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`Cannot listen for metrics on 127.0.0.1:${port}`, { cause: error })))
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP, so this is not the name of a pipe
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
