import { readFileSync } from 'node:fs'
import { startLifetime } from '../base/lifecycle.ts'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { plainBindOf } from '../base/plain-bind.ts'
import { startBroker } from '../broker/broker.ts'
import { openTokenKey } from '../controller/identity/keys.ts'
import { startControllerService } from '../controller/service.ts'

process.title = 'skein hub'

/** The root of the hub: broker and controller as one process, joined by the bus inside it. */
await runPart('hub', async (config, log) => {
  const lifetime = startLifetime()
  const key = await openTokenKey(pathsIn(config.data))
  const { tls_cert: cert, tls_key: certKey } = config
  const tls =
    cert !== undefined && certKey !== undefined
      ? { tls: { port: config.tls_port, cert: readFileSync(cert, 'utf8'), key: readFileSync(certKey, 'utf8') } }
      : {}
  const broker = lifetime.own(
    await startBroker({
      fleet: config.fleet,
      publicKeyPem: key.publicKeyPem,
      listen: { bind: plainBindOf(config), tlsBind: config.bind, mqttPort: config.mqtt_port, wsPort: config.ws_port, ...tls },
      log,
      // Nobody gets a PUBACK before the controller is there to store what it stands for.
      listenLater: true,
    }),
  )
  const controller = lifetime.own(
    await startControllerService({
      data: config.data,
      fleet: config.fleet,
      key,
      bus: broker.bus(),
      http: { bind: plainBindOf(config), port: config.http_port },
      heartbeatSeconds: config.heartbeat_seconds,
      log,
      overtaken: (epoch) => {
        log.fatal({ epoch }, 'another controller of a higher epoch is there')
        process.exit(1)
      },
    }),
  )
  const addresses = await broker.listen()
  const http = `http://${hostIn(addresses.mqtt.url)}:${controller.http.port}`
  tellParent({
    kind: 'ready',
    mqtt: addresses.mqtt.url,
    ws: addresses.ws.url,
    ...(addresses.mqtts ? { mqtts: addresses.mqtts.url } : {}),
    http,
    api: http,
  })
  log.info({ mqtt: addresses.mqtt.url, http }, 'hub is ready')
  return { close: () => lifetime.close() }
})

function hostIn(url: string): string {
  return url.replace(/^[a-z]+:\/\//, '').replace(/:\d+$/, '')
}
