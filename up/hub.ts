import { httpListenOf } from '../base/http-settings.ts'
import { startLifetime } from '../base/lifecycle.ts'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { startBroker } from '../broker/broker.ts'
import { listenOf, urlsOf } from '../broker/listen-settings.ts'
import { brokerFamilies } from '../broker/metrics.ts'
import { openCommandKeys } from '../controller/identity/command-keys.ts'
import { issueLocalTokens } from '../controller/identity/local-tokens.ts'
import { openTokenKeys } from '../controller/identity/token-keys.ts'
import { startControllerService } from '../controller/service.ts'
import { serviceOptionsOf } from '../controller/service-config.ts'

process.title = 'skein hub'

/** The root of the hub: broker and controller as one process, joined by the bus inside it. */
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
  const controller = lifetime.own(
    await startControllerService({
      ...serviceOptionsOf(config),
      tokenKeys,
      commandKeys,
      issueLocalTokens: () =>
        issueLocalTokens({
          ...{ paths, keys: tokenKeys, fleet: config.fleet, ctl: commandKeys.newest().kid },
          ...{ devices: [], now: Date.now() },
        }),
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
  const urls = urlsOf(await broker.listen())
  const { http, https } = controller.http
  const doors = { http: http.url, ...(https ? { https: https.url } : {}) }
  tellParent({ kind: 'ready', ...urls, ...doors, api: http.url })
  log.info({ ...urls, ...doors }, 'hub is ready')
  return { close: () => lifetime.close() }
})
