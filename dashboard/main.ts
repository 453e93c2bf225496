import { readFileSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import { openHttpDoors } from '../base/http-doors.ts'
import { httpListenOf } from '../base/http-settings.ts'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { forwardTo } from './server/forward.ts'

process.title = 'skein dashboard'

/** The root of the dashboard apart: the front door at the HTTP port. REST goes through to the controller. */
void runPart('dashboard', async (config, log) => {
  const api = config.api_url ?? `http://127.0.0.1:${config.api_port}`
  const ca = config.tls_ca === undefined ? undefined : readFileSync(config.tls_ca, 'utf8')
  const listen = httpListenOf(config, config.http_port, config.https_port)
  const doors = await openHttpDoors(listen, forwardTo(api, ca), { log, clock: systemClock })
  process.on('SIGHUP', () => void doors.reloadCertificate())
  const urls = { http: doors.http.url, ...(doors.https ? { https: doors.https.url } : {}) }
  tellParent({ kind: 'ready', ...urls })
  log.info({ ...urls, api }, 'dashboard is ready')
  return { close: doors.close }
})
