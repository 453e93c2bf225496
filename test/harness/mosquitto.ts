import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrokerProcess, startBrokerProcess } from './broker-process.ts'
import { freePort } from './free-port.ts'
import { findProgram } from './program.ts'

/** The broker Mosquitto; undefined, with a warning, where it is missing. */
export const mosquittoProgram = (): string | undefined =>
  findProgram(['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/usr/bin/mosquitto'], 'mosquitto')

/** mosquitto_pub; undefined, with a warning, where it is missing. */
export const mosquittoPubProgram = (): string | undefined =>
  findProgram(['/usr/bin/mosquitto_pub', '/usr/local/bin/mosquitto_pub'], 'mosquitto_pub')

/** Starts a Mosquitto with its usual settings on a free port, open to all. `access` is an access list of its own, `more` are more lines of configuration. */
export const startMosquitto = async (
  program: string,
  access?: string,
  more: readonly string[] = [],
): Promise<Pick<BrokerProcess, 'url' | 'close'>> => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-mosquitto-'))
  const port = await freePort()
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false', ...more]
  if (access !== undefined) {
    await writeFile(join(folder, 'acl'), access)
    lines.push(`acl_file ${join(folder, 'acl')}`)
  }
  await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`)
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const broker = await startMosquittoIn(program, folder, port)
    return {
      url: broker.url,
      close: async () => {
        await broker.close()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Starts a Mosquitto with the `mosquitto.conf` in a folder, which says that it listens on this port. */
export const startMosquittoIn = async (program: string, folder: string, port: number): Promise<BrokerProcess> => {
  const config = join(folder, 'mosquitto.conf')
  // Started as root it would change to a user of its own, who cannot read our folder.
  if (process.getuid?.() === 0) await writeFile(config, `${await readFile(config, 'utf8')}user root\n`)
  return startBrokerProcess({ program, args: ['-c', config], port })
}
