import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

const isRequired = process.env['CI'] !== undefined && process.env['CI'] !== ''

const found = (programs: readonly string[], what: string): string | undefined => {
  const program = programs.find((one) => existsSync(one))
  if (program === undefined && isRequired) throw new Error(`${what} is not installed, and under CI nothing is skipped for that`)
  if (program === undefined) console.warn(`SKIPPED: ${what} is not installed`)
  return program
}

/** The broker Mosquitto; undefined, with a warning, where it is missing. */
export const mosquittoProgram = (): string | undefined =>
  found(['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/usr/bin/mosquitto'], 'mosquitto')

/** mosquitto_pub; undefined, with a warning, where it is missing. */
export const mosquittoPubProgram = (): string | undefined =>
  found(['/usr/bin/mosquitto_pub', '/usr/local/bin/mosquitto_pub'], 'mosquitto_pub')

export interface Mosquitto {
  url: string
  close(): Promise<void>
}

/** Starts a Mosquitto with its usual settings on a free port, open to all. `access` is an access list of its own. */
export const startMosquitto = async (program: string, access?: string): Promise<Mosquitto> => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-mosquitto-'))
  const port = await freePort()
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false']
  if (access !== undefined) {
    await writeFile(join(folder, 'acl'), access)
    lines.push(`acl_file ${join(folder, 'acl')}`)
  }
  // Started as root it would change to a user of its own, who cannot read our folder.
  if (process.getuid?.() === 0) lines.push('user root')
  await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`)
  const child = spawn(program, ['-c', join(folder, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const close = async (): Promise<void> => {
    await stopped(child)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await eventually('mosquitto listens', () => answers(port))
  } catch (error) {
    await close()
    throw new Error(`mosquitto did not start: ${said}`, { cause: error })
  }
  return { url: `mqtt://127.0.0.1:${port}`, close }
}

const stopped = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
