import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pathsIn } from '../base/paths.ts'
import { openCommandKeys } from '../controller/identity/command-keys.ts'
import { openTokenKeys } from '../controller/identity/token-keys.ts'
import { issueToken } from '../controller/identity/tokens.ts'
import type { Role } from '../schemas/topics.ts'
import type { Started, World } from './world.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

/** The one program. */
export const skeinProgram = join(root, 'bin', 'skein')

export interface SkeinOptions {
  apart?: boolean
  /** Real devices of `skein up`. */
  devices?: number
  env?: Readonly<Record<string, string>>
}

/** The built product on a fresh data folder and free ports, as a user starts it. */
export interface Skein {
  data: string
  paths: ReturnType<typeof pathsIn>
  endpoints: { mqtt: string; http: string; api: string; pid: number }
  adminToken: string
  up: Started
  tokenFor(subject: string, role: Role): Promise<string>
  /** The pid of a part by its title, such as `hub` or `device local`. */
  pidOf(part: string): number
}

export const startSkein = async (world: World, { apart, devices = 0, env }: SkeinOptions = {}): Promise<Skein> => {
  if (!existsSync(join(root, 'dist', 'up.js'))) throw new Error('dist/ is missing: npm run build')
  const data = join(world.temp('skein'), 'data')
  mkdirSync(data, { mode: 0o700 })
  const paths = pathsIn(data)
  const plain = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SKEIN_')))
  const ports = { SKEIN_MQTT_PORT: '0', SKEIN_WS_PORT: '0', SKEIN_HTTP_PORT: '0', SKEIN_API_PORT: '0' }
  const args = [skeinProgram, 'up', ...(apart ? ['--apart'] : []), '--devices', String(devices)]
  const up = world.start(process.execPath, args, {
    env: { ...plain, ...ports, SKEIN_DATA: data, SKEIN_LOG_LEVEL: 'warn', ...env },
  })
  let code: number | null | undefined
  void up.exited.then((ended) => {
    code = ended
  })
  for (let tries = 0; !existsSync(paths.endpoints); tries++) {
    if (code !== undefined || tries > 600) throw new Error(`skein up did not start:\n${up.said()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const key = openTokenKeys(paths).newest()
  return {
    data,
    paths,
    endpoints: JSON.parse(readFileSync(paths.endpoints, 'utf8')),
    adminToken: readFileSync(paths.adminToken, 'utf8').trim(),
    up,
    tokenFor: (subject, role) =>
      issueToken(key, {
        subject,
        role,
        fleet: 'default',
        ttlSeconds: 24 * 3600,
        now: Date.now(),
        jti: randomUUID(),
        // A device obeys whom its token names.
        ...(role === 'device' ? { ctl: openCommandKeys(paths).newest().kid } : {}),
      }),
    pidOf: (part) => {
      const children = readFileSync(`/proc/${up.pid}/task/${up.pid}/children`, 'utf8').trim().split(' ')
      const found = children.find((pid) => titleOf(pid) === `skein ${part}`)
      if (found === undefined) throw new Error(`there is no process "skein ${part}"`)
      return Number(found)
    },
  }
}

const titleOf = (pid: string): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
