import { readFileSync } from 'node:fs'
import { systemChance } from '../base/chance.ts'
import { systemClock } from '../base/clock.ts'
import { httpListenOf } from '../base/http-settings.ts'
import { startLifetime } from '../base/lifecycle.ts'
import { passwordFor } from '../base/login.ts'
import { startMqttBus } from '../base/mqtt-bus.ts'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { controllerClientId } from '../schemas/client-ids.ts'
import { instant } from '../schemas/ids.ts'
import { topicOf } from '../schemas/topics.ts'
import { openCommandKeys } from './identity/command-keys.ts'
import { issueLocalTokens } from './identity/local-tokens.ts'
import { openTokenKeys } from './identity/token-keys.ts'
import { startControllerService } from './service.ts'
import { serviceOptionsOf } from './service-config.ts'

process.title = 'skein controller'

/** The root of a controller apart from its broker. It makes its own token, with the key that it holds. */
void runPart('controller', async (config, log) => {
  const lifetime = startLifetime()
  const paths = pathsIn(config.data)
  const tokenKeys = openTokenKeys(paths)
  const commandKeys = openCommandKeys(paths)
  const issue = (): Promise<void> =>
    issueLocalTokens({
      paths,
      keys: tokenKeys,
      fleet: config.fleet,
      ctl: commandKeys.newest().kid,
      devices: [],
      controller: true,
      // The users of a broker of its own go by these tokens: they change when broker-config is asked for them.
      renew: config.login === 'digest' ? 'late' : 'early',
      now: Date.now(),
    })
  await issue()
  const token = (): string => config.token ?? readFileSync(config.token_file ?? paths.controllerToken, 'utf8').trim()
  let epoch = 0
  const bus = lifetime.own(
    startMqttBus({
      url: config.url ?? 'mqtt://127.0.0.1:1883',
      clientId: controllerClientId(config.fleet),
      username: 'controller',
      password: () => passwordFor(config.login, token()),
      ...(config.tls_ca === undefined ? {} : { ca: readFileSync(config.tls_ca, 'utf8') }),
      will: () => ({
        topic: topicOf(config.fleet, 'controllerState', {}),
        payload: JSON.stringify({ state: 'offline', epoch, at: instant(Date.now()) }),
        retain: true,
        qos: 1,
      }),
      log,
      clock: systemClock,
      chance: systemChance,
      reconnect: { firstMs: 250, mostMs: 5000 },
    }),
  )
  const controller = lifetime.own(
    await startControllerService({
      ...serviceOptionsOf(config),
      tokenKeys,
      commandKeys,
      issueLocalTokens: issue,
      bus,
      http: httpListenOf(config, config.api_port, config.api_tls_port),
      part: 'controller',
      log,
      broken: () => process.exit(1),
      onEpoch: (now) => {
        epoch = now
      },
      overtaken: (higher) => {
        log.fatal({ epoch: higher }, 'another controller of a higher epoch is there')
        process.exit(1)
      },
    }),
  )
  process.on('SIGHUP', () => void controller.http.reloadCertificate())
  const { http, https } = controller.http
  tellParent({ kind: 'ready', api: http.url })
  log.info({ api: http.url, api_tls: https?.url }, 'controller is ready')
  return { close: () => lifetime.close() }
})
