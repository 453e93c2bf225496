import { readFileSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import { startLoopDelay } from '../base/loop-delay.ts'
import { expositionOf, processFamilies } from '../base/metrics.ts'
import { openMetricsDoor } from '../base/metrics-door.ts'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { watchFiles } from '../base/watched-files.ts'
import { startBroker } from './broker.ts'
import { listenOf, urlsOf } from './listen-settings.ts'
import { brokerFamilies } from './metrics.ts'

process.title = 'skein broker'

/** The root of a broker apart: it needs the public keys of the fleet's tokens, and nothing else. */
void runPart('broker', async (config, log) => {
  const keyFile = config.token_key ?? pathsIn(config.data).tokenKeyPublic
  const broker = await startBroker({
    fleet: config.fleet,
    publicKeysPem: config.open ? 'open' : readFileSync(keyFile, 'utf8'),
    listen: listenOf(config),
    tokenTrustFile: pathsIn(config.data).tokenTrust,
    limits: { connections: config.connections, connectionsPerAddress: config.connections_per_address },
    log,
  })
  const loadKeys = (): void => {
    try {
      broker.setTokenKeys(readFileSync(keyFile, 'utf8'))
      log.info({ file: keyFile }, 'keys of tokens loaded again')
    } catch (error) {
      log.warn({ err: error, file: keyFile }, 'new keys of tokens cannot be used, the old ones stay')
    }
  }
  const watch = config.open ? undefined : watchFiles([keyFile], loadKeys, systemClock)
  process.on('SIGHUP', () => void broker.reloadCertificate())
  if (config.open) log.warn('OPEN BROKER: no tokens are asked for, anybody on this machine may read and publish everything')
  const urls = urlsOf(broker.addresses)
  tellParent({ kind: 'ready', ...urls })
  log.info(urls, 'broker is ready')
  const delay = startLoopDelay({ log })
  const render = () => expositionOf([...brokerFamilies(broker), ...processFamilies('broker', version, delay.report())])
  const metrics = config.metrics_port === undefined ? undefined : await openMetricsDoor(config.metrics_port, render)
  return {
    close: async () => {
      watch?.close()
      await metrics?.close()
      await delay.close()
      await broker.close()
    },
  }
})
