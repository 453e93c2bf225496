import { readFileSync } from 'node:fs'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { plainBindOf } from '../base/plain-bind.ts'
import { startBroker } from './broker.ts'

process.title = 'skein broker'

/** The root of a broker apart: it needs the public key of the fleet's tokens, and nothing else. */
await runPart('broker', async (config, log) => {
  const { tls_cert: cert, tls_key: certKey } = config
  const broker = await startBroker({
    fleet: config.fleet,
    publicKeyPem: readFileSync(config.token_key ?? pathsIn(config.data).tokenKeyPublic, 'utf8'),
    listen: {
      bind: plainBindOf(config),
      tlsBind: config.bind,
      mqttPort: config.mqtt_port,
      wsPort: config.ws_port,
      ...(cert !== undefined && certKey !== undefined
        ? { tls: { port: config.tls_port, cert: readFileSync(cert, 'utf8'), key: readFileSync(certKey, 'utf8') } }
        : {}),
    },
    log,
  })
  const { mqtt, ws, mqtts } = broker.addresses
  tellParent({ kind: 'ready', mqtt: mqtt.url, ws: ws.url, ...(mqtts ? { mqtts: mqtts.url } : {}) })
  log.info({ mqtt: mqtt.url, ws: ws.url }, 'broker is ready')
  return broker
})
