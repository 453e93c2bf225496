import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { systemChance } from '../base/chance.ts'
import { systemClock } from '../base/clock.ts'
import { startLifetime } from '../base/lifecycle.ts'
import { startMqttBus } from '../base/mqtt-bus.ts'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { plainBindOf } from '../base/plain-bind.ts'
import { controllerClientId } from '../schemas/client-ids.ts'
import { instant } from '../schemas/ids.ts'
import { topicOf } from '../schemas/topics.ts'
import { openTokenKey } from './identity/keys.ts'
import { issueLocalTokens } from './identity/local-tokens.ts'
import { issueToken } from './identity/tokens.ts'
import { startControllerService } from './service.ts'

process.title = 'skein controller'

/** The root of a controller apart from its broker. It signs its own token, with the key that it holds. */
await runPart('controller', async (config, log) => {
  const lifetime = startLifetime()
  const paths = pathsIn(config.data)
  const key = await openTokenKey(paths)
  await issueLocalTokens({ paths, key, fleet: config.fleet, devices: [], now: Date.now() })
  const given =
    config.token ??
    (config.token_file !== undefined && config.token_file !== paths.controllerToken
      ? readFileSync(config.token_file, 'utf8').trim()
      : undefined)
  const own = await issueToken(key, {
    subject: 'controller',
    role: 'controller',
    fleet: config.fleet,
    ttlSeconds: 400 * 24 * 3600,
    now: Date.now(),
    jti: randomUUID(),
  })
  let epoch = 0
  const bus = lifetime.own(
    startMqttBus({
      url: config.url ?? 'mqtt://127.0.0.1:1883',
      clientId: controllerClientId(config.fleet),
      username: 'controller',
      password: given ?? own,
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
      data: config.data,
      fleet: config.fleet,
      key,
      bus,
      http: { bind: plainBindOf(config), port: config.api_port },
      heartbeatSeconds: config.heartbeat_seconds,
      log,
      onEpoch: (now) => {
        epoch = now
      },
      overtaken: (higher) => {
        log.fatal({ epoch: higher }, 'another controller of a higher epoch is there')
        process.exit(1)
      },
    }),
  )
  const bind = plainBindOf(config)
  const host = bind.includes(':') ? `[${bind}]` : bind
  const api = `http://${host}:${controller.http.port}`
  tellParent({ kind: 'ready', api })
  log.info({ api }, 'controller is ready')
  return { close: () => lifetime.close() }
})
