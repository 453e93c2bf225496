import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { systemChance } from '../base/chance.ts'
import { systemClock } from '../base/clock.ts'
import { openHttpDoors } from '../base/http-doors.ts'
import { httpListenOf } from '../base/http-settings.ts'
import { startLifetime } from '../base/lifecycle.ts'
import { passwordFor } from '../base/login.ts'
import { startMqttBus } from '../base/mqtt-bus.ts'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { startDashboard } from './server/dashboard.ts'
import { forwardTo } from './server/forward.ts'

process.title = 'skein dashboard'

/** The root of the dashboard apart: the front door at the HTTP port. REST goes through to the controller. */
void runPart('dashboard', async (config, log) => {
  const lifetime = startLifetime()
  const paths = pathsIn(config.data)
  const api = config.api_url ?? `http://127.0.0.1:${config.api_port}`
  const url = config.url ?? 'mqtt://127.0.0.1:1883'
  const ca = config.tls_ca === undefined ? undefined : readFileSync(config.tls_ca, 'utf8')
  const token = (): string => config.token ?? readFileSync(config.token_file ?? paths.dashboardToken, 'utf8').trim()
  const bus = lifetime.own(
    startMqttBus({
      url,
      // Several may run: the broker names each.
      clientId: '',
      username: 'dashboard',
      password: () => passwordFor(config.login, token()),
      ...(ca === undefined ? {} : { ca }),
      log,
      clock: systemClock,
      chance: systemChance,
      reconnect: { firstMs: 250, mostMs: 5000 },
    }),
  )
  const dashboard = lifetime.own(
    startDashboard({
      fleet: config.fleet,
      version,
      api: () => api,
      ca,
      brokerUrl: () => url,
      token,
      bus,
      hosts: config.http_hosts,
      files: { ...paths, pages: fileURLToPath(new URL('./web', import.meta.url)) },
      clock: systemClock,
      log,
    }),
  )
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use(dashboard.front, forwardTo(api, ca))
  const deps = { log, clock: systemClock, upgrade: dashboard.upgrade }
  const doors = lifetime.own(await openHttpDoors(httpListenOf(config, config.http_port, config.https_port), app, deps))
  process.on('SIGHUP', () => void doors.reloadCertificate())
  const urls = { http: doors.http.url, ...(doors.https ? { https: doors.https.url } : {}) }
  tellParent({ kind: 'ready', ...urls })
  log.info({ ...urls, api }, 'dashboard is ready')
  return { close: () => lifetime.close() }
})
