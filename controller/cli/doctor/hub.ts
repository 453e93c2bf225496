import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { z } from 'zod'
import type { pathsIn } from '../../../base/paths.ts'
import { type Check, fail, ok, skipped, warn } from './check.ts'

const Endpoints = z.looseObject({ mqtt: z.string(), http: z.string(), api: z.string(), pid: z.number() })

/** What `skein up` on this machine says of itself, if it runs. */
export const checkHub = async (paths: ReturnType<typeof pathsIn>, isElsewhere: boolean): Promise<Check[]> => {
  if (isElsewhere) return [skipped('hub', 'another broker was named; what runs on this machine is not looked at')]
  const endpoints = endpointsIn(paths.endpoints)
  if (!endpoints) {
    const busy = await takenPorts(paths)
    const why = existsSync(paths.endpoints) ? `${paths.endpoints} cannot be read` : `there is no ${paths.endpoints}`
    return [
      fail('hub', `Skein does not run here: ${why}`, 'start it: npm start, or skein up; or name a broker with --url'),
      busy.length === 0
        ? ok('ports', 'its ports are free')
        : warn(
            'ports',
            `taken by another program: ${busy.join(', ')}`,
            'end that program, or choose others: --mqtt-port, --ws-port, --http-port',
          ),
    ]
  }
  if (!isRunning(endpoints.pid))
    return [fail('hub', `skein up (pid ${endpoints.pid}) has died without cleaning up`, 'start it again; what ran goes on')]
  return [ok('hub', `skein up runs with pid ${endpoints.pid}`), await checkHttp(endpoints.http, endpoints.api)]
}

const checkHttp = async (http: string, api: string): Promise<Check> => {
  for (const url of [`${http}/healthz`, `${api}/readyz`]) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(5000) })
      if (response.ok) continue
      const said = (await response.text()).slice(0, 300)
      return fail('http', `${url} answers ${response.status}: ${said}`, 'look at the log of skein up for what is not ready')
    } catch (error) {
      return fail(
        'http',
        `${url} does not answer: ${error instanceof Error ? error.message : String(error)}`,
        'look at the log of skein up',
      )
    }
  }
  return ok('http', `${http} answers and is ready`)
}

const endpointsIn = (file: string): z.infer<typeof Endpoints> | undefined => {
  try {
    return Endpoints.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return undefined // not there or not readable: the check says which
  }
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

const takenPorts = async (paths: ReturnType<typeof pathsIn>): Promise<string[]> => {
  const picked: Record<string, unknown> = existsSync(paths.ports) ? JSON.parse(readFileSync(paths.ports, 'utf8')) : {}
  const usual = { mqtt_port: 1883, ws_port: 8083, http_port: 8080 }
  const taken = await Promise.all(
    Object.entries(usual).map(async ([key, port]) => {
      const one = typeof picked[key] === 'number' ? picked[key] : port
      return (await listens(one)) ? [`${one} (${key})`] : []
    }),
  )
  return taken.flat()
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
