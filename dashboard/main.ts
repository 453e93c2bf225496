import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { plainBindOf } from '../base/plain-bind.ts'
import { forwardTo } from './server/forward.ts'

process.title = 'skein dashboard'

/** The root of the dashboard apart: the front door at the HTTP port. REST goes through to the controller. */
await runPart('dashboard', async (config, log) => {
  const bind = plainBindOf(config)
  const api = config.api_url ?? `http://127.0.0.1:${config.api_port}`
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, forwardTo(api))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.http_port, bind, resolve)
  })
  const { port } = server.address() as AddressInfo // it listens on TCP, so this is not the name of a pipe
  const http = `http://${bind.includes(':') ? `[${bind}]` : bind}:${port}`
  tellParent({ kind: 'ready', http })
  log.info({ http, api }, 'dashboard is ready')
  return {
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
})
