import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type BrokerProcess, startBrokerProcess } from './broker-process.ts'
import { freePort } from './free-port.ts'
import { findProgram } from './program.ts'

/** The server of RabbitMQ; undefined, with a warning, where it is missing. */
export const rabbitmqProgram = (): string | undefined =>
  findProgram(['/usr/lib/rabbitmq/bin/rabbitmq-server', '/usr/sbin/rabbitmq-server'], 'rabbitmq-server')

/** Starts a RabbitMQ of its own with the files in a folder, one of which says that MQTT listens on this port. */
export const startRabbitmqIn = async (program: string, folder: string, port: number): Promise<BrokerProcess> => {
  const home = join(folder, 'home')
  await mkdir(home, { recursive: true })
  return startBrokerProcess({
    // Its port mapper is started beside it, in its group: the one that it would start by itself outlives it.
    program: '/bin/sh',
    args: ['-c', 'epmd -port "$ERL_EPMD_PORT" & exec "$0"', program],
    port,
    withinMs: 60_000,
    env: {
      HOME: home,
      RABBITMQ_NODENAME: `skein${port}@localhost`,
      RABBITMQ_DIST_PORT: String(await freePort()),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
      RABBITMQ_MNESIA_BASE: join(home, 'mnesia'),
      RABBITMQ_LOG_BASE: join(home, 'log'),
      RABBITMQ_PID_FILE: join(home, 'pid'),
      ERL_EPMD_PORT: String(await freePort()),
    },
  })
}
