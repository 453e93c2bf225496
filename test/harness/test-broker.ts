import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../base/log.ts'
import { pathsIn } from '../../base/paths.ts'
import { type Broker, type BrokerOptions, startBroker } from '../../broker/broker.ts'
import { openTokenKeys, type TokenKeyFiles } from '../../controller/identity/token-keys.ts'
import { issueToken } from '../../controller/identity/tokens.ts'
import type { Role } from '../../schemas/topics.ts'

export interface TestBroker {
  broker: Broker
  fleet: string
  keys: TokenKeyFiles
  token(subject: string, role: Role, how?: { ttlSeconds?: number; fleet?: string; now?: number }): Promise<string>
  close(): Promise<void>
}

/** The embedded broker on free ports, with a token key of its own in a folder of its own. */
export const startTestBroker = async (options: Partial<BrokerOptions> = {}): Promise<TestBroker> => {
  const fleet = options.fleet ?? 'default'
  const folder = await mkdtemp(join(tmpdir(), 'skein-broker-'))
  const keys = openTokenKeys(pathsIn(folder))
  const broker = await startBroker({
    fleet,
    publicKeysPem: keys.publicKeysPem(),
    listen: { bind: '127.0.0.1', mqttPort: 0, wsPort: 0 },
    log: silentLog,
    ...options,
  }).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  let issued = 0
  return {
    broker,
    fleet,
    keys,
    token: (subject, role, how = {}) => {
      issued += 1
      return issueToken(keys.newest(), {
        subject,
        role,
        fleet: how.fleet ?? fleet,
        ttlSeconds: how.ttlSeconds ?? 600,
        now: how.now ?? Date.now(),
        jti: `${subject}-${issued}`,
      })
    },
    close: async () => {
      await broker.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
