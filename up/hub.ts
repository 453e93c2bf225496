import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../base/clock.ts'
import { httpListenOf } from '../base/http-settings.ts'
import { startLifetime } from '../base/lifecycle.ts'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { startBroker } from '../broker/broker.ts'
import { listenOf, urlsOf } from '../broker/listen-settings.ts'
import { brokerFamilies } from '../broker/metrics.ts'
import { openCommandKeys } from '../controller/identity/command-keys.ts'
import { issueLocalTokens } from '../controller/identity/local-tokens.ts'
import { openTokenKeys } from '../controller/identity/token-keys.ts'
import { startControllerService } from '../controller/service.ts'
import { serviceOptionsOf } from '../controller/service-config.ts'
import { startDashboard } from '../dashboard/server/dashboard.ts'

process.title = 'skein hub'

/** The root of the hub: broker, controller and dashboard as one process, joined by the bus inside it. */
void runPart('hub', async (config, log) => {
  const lifetime = startLifetime()
  const paths = pathsIn(config.data)
  const tokenKeys = openTokenKeys(paths)
  const commandKeys = openCommandKeys(paths)
  const broker = lifetime.own(
    await startBroker({
      fleet: config.fleet,
      publicKeysPem: tokenKeys.publicKeysPem(),
      listen: listenOf(config),
      tokenTrustFile: paths.tokenTrust,
      limits: { connections: config.connections, connectionsPerAddress: config.connections_per_address },
      log,
      // Nobody gets a PUBACK before the controller is there to store what it stands for.
      listenLater: true,
    }),
  )
  const issue = (): Promise<void> =>
    issueLocalTokens({
      ...{ paths, keys: tokenKeys, fleet: config.fleet, ctl: commandKeys.newest().kid },
      ...{ devices: [], now: Date.now() },
    })
  await issue()
  let http = ''
  let joinUrl = ''
  const dashboard = lifetime.own(
    startDashboard({
      fleet: config.fleet,
      version,
      api: () => http,
      brokerUrl: () => joinUrl,
      token: () => readFileSync(paths.dashboardToken, 'utf8').trim(),
      bus: broker.bus(),
      hosts: config.http_hosts,
      files: { ...paths, pages: fileURLToPath(new URL('./web', import.meta.url)) },
      clock: systemClock,
      log,
    }),
  )
  const controller = lifetime.own(
    await startControllerService({
      ...serviceOptionsOf(config),
      tokenKeys,
      commandKeys,
      issueLocalTokens: issue,
      front: { handle: dashboard.front, upgrade: dashboard.upgrade },
      bus: broker.bus(),
      http: httpListenOf(config, config.http_port, config.https_port),
      part: 'hub',
      moreMetrics: () => brokerFamilies(broker),
      log,
      broken: () => process.exit(1),
      overtaken: (epoch) => {
        log.fatal({ epoch }, 'another controller of a higher epoch is there')
        process.exit(1)
      },
    }),
  )
  process.on('SIGHUP', () => {
    void broker.reloadCertificate()
    void controller.http.reloadCertificate()
  })
  http = controller.http.http.url
  const urls = urlsOf(await broker.listen())
  joinUrl = urls.mqtts ?? urls.mqtt
  const { https } = controller.http
  const doors = { http, ...(https ? { https: https.url } : {}) }
  tellParent({ kind: 'ready', ...urls, ...doors, api: http })
  log.info({ ...urls, ...doors }, 'hub is ready')
  return { close: () => lifetime.close() }
})
