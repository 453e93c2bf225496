import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pathsIn } from '../../base/paths.ts'
import type { LocalRequest } from '../../schemas/local-requests.ts'
import { skeinProgram } from '../installation.ts'
import { lineOf } from '../lines.ts'
import { pause } from '../until.ts'
import type { Supervise } from './supervisor.ts'
import { countLines } from './text-log.ts'

/** A device of no fleet: its workloads are in a folder, and it is asked by its socket. */
const superviseWith =
  (output: 'pipe' | 'file'): Supervise =>
  async (world, services) => {
    const root = world.temp('skein')
    const paths = pathsIn(join(root, 'data')).device('local')
    mkdirSync(paths.folder, { recursive: true, mode: 0o700 })
    const plain = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('SKEIN_')))
    const env = { ...plain, SKEIN_DATA: join(root, 'data'), SKEIN_LOG_LEVEL: 'info' }
    const daemon = world.start(process.execPath, [skeinProgram, 'device'], { env })
    await answers(paths.socket)
    const restart = { delay_seconds: 0, crash_loop: false }
    const log = { max_file_mb: 64, max_files: 8 }
    const workloads = services.map((one) => ({ ...one, type: 'service', run_mode: 'forever', output, restart, log }))
    // JSON is YAML.
    const file = join(root, 'workloads.yaml')
    writeFileSync(file, JSON.stringify({ workloads }))
    await ask(paths.socket, 'apply', { paths: [file] })
    return {
      pid: daemon.pid,
      helpers: () => childrenOf(daemon.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0shim\0')),
      logsOf: (service) =>
        output === 'file'
          ? [join(paths.outputs, `${service}.out`)]
          : readdirSync(paths.logs).flatMap((name) => (name.startsWith(service) ? [join(paths.logs, name)] : [])),
      linesOf: (service) =>
        output === 'file' ? countLines(join(paths.outputs, `${service}.out`)) : countRecords(paths.socket, service),
      end: () => daemon.end(),
    }
  }

export const superviseWithSkein = superviseWith('pipe')
/** Its services write into their files by themselves. */
export const superviseWithSkeinFiles = superviseWith('file')

interface Page {
  records: [seq: number, at: number, stream: string, text: unknown][]
  next: number
}

/** Reads a whole log by its pages, and compares each line with what was written. */
const countRecords = async (socket: string, workload: string): Promise<number> => {
  let lines = 0
  for (let after = 0; ; ) {
    const page = (await ask(socket, 'logs', { workload, after, limit: 10_000 })) as Page // what the request promises
    for (const [, , stream, text] of page.records) {
      if (stream !== 'o') continue
      if (text !== lineOf(lines)) throw new Error(`in place of line ${lines} there is ${text}`)
      lines++
    }
    if (page.records.length === 0) return lines
    after = page.next
  }
}

const ask = (path: string, command: LocalRequest, input: Readonly<Record<string, unknown>>): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(`${JSON.stringify({ command, ...input })}\n`))
    const parts: Buffer[] = []
    socket.on('error', reject)
    socket.on('end', () => reject(new Error(`The device hung up on ${command}`)))
    socket.on('data', (part: Buffer) => {
      parts.push(part)
      if (part.at(-1) !== newline) return
      socket.destroy()
      const answer = JSON.parse(Buffer.concat(parts).toString('utf8'))
      if (answer.ok) resolve(answer.output)
      else reject(new Error(`The device refuses ${command}: ${JSON.stringify(answer.error)}`))
    })
  })

/** There is a socket before it is listened to. */
const answers = async (socket: string): Promise<void> => {
  for (let tries = 0; ; tries++) {
    try {
      await ask(socket, 'status', {})
      return
    } catch (error) {
      if (tries > 1000) throw error
      await pause(20)
    }
  }
}

const newline = 10

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
