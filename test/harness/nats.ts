import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BrokerProcess, startBrokerProcess } from './broker-process.ts'
import { findProgram } from './program.ts'

/** The server of NATS; undefined, with a warning, where it is missing. */
export const natsProgram = (): string | undefined =>
  findProgram(['/usr/sbin/nats-server', '/usr/local/bin/nats-server', '/usr/bin/nats-server'], 'nats-server')

/** Starts a NATS server with the `nats.conf` in a folder, which says that MQTT listens on this port. */
export const startNatsIn = async (program: string, folder: string, port: number): Promise<BrokerProcess> => {
  const config = join(folder, 'nats.conf')
  // Nobody asks for NATS' own protocol, and its usual port may be taken.
  await writeFile(config, (await readFile(config, 'utf8')).replace('127.0.0.1:4222', '127.0.0.1:-1'))
  return startBrokerProcess({ program, args: ['-c', config], port })
}
