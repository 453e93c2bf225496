import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OutputOf } from '../../schemas/operations.ts'
import { eventually } from './eventually.ts'
import { type Installation, type InstallationOptions, startInstallation } from './installation.ts'

type Deployment = OutputOf<'deployment.get'>

/** What the service of a release does; `$1` is how it is named in the witness. */
const behaviours = {
  /** Runs on, and writes down five times a second that it does. */
  good: 'sum=$(sha256sum <"$SKEIN_RELEASE_DIR/data.bin" | cut -c1-64); while :; do echo "$(date +%s.%N) $1 $sum" >>"$WITNESS/$SKEIN_DEVICE"; sleep 0.2; done',
  /** Ends at once. */
  exits: 'echo "$(date +%s.%N) $1 exits" >>"$WITNESS/$SKEIN_DEVICE"; exit 1',
  /** Runs for a while and dies, again and again. */
  dies: 'echo "$(date +%s.%N) $1 dies" >>"$WITNESS/$SKEIN_DEVICE"; sleep 0.7; exit 3',
  /** Runs on, and its check never says that it is well. */
  sick: 'echo "$(date +%s.%N) $1 sick" >>"$WITNESS/$SKEIN_DEVICE"; exec sleep 1000',
} as const
export type Behaviour = keyof typeof behaviours

export interface Witnessed {
  at: number
  version: string
  /** The SHA-256 of the data that came with the release, or what went wrong. */
  data: string
}

/** An installation, and releases of a service that leaves a trace outside of the product. */
export const startReleaseWorld = async (options: InstallationOptions = {}) => {
  const fleet = await startInstallation(options)
  const witness = join(fleet.root, 'witness')
  mkdirSync(witness)
  const datas = new Map<string, string>()

  /** Makes a folder of a release. */
  const folder = (name: string, version: string, behaviour: Behaviour = 'good', dataBytes = 20_000): string => {
    const root = join(fleet.root, 'apps', `${name}-${version}`)
    mkdirSync(join(root, 'workloads'), { recursive: true })
    const check =
      behaviour === 'sick'
        ? '\nhealth: { command: ["false"], interval_seconds: 0.2, start_period_seconds: 60, on_unhealthy: report }'
        : ''
    writeFileSync(
      join(root, 'workloads', `${name}.yaml`),
      `name: ${name}
type: service
run_mode: forever
command: [sh, -c, 'exec sh "$SKEIN_RELEASE_DIR/run.sh" ${version}']
env: { WITNESS: "${witness}" }
restart: { delay_seconds: 0.1, crash_loop: { starts: 5, within_seconds: 60 } }${check}
`,
    )
    writeFileSync(join(root, 'run.sh'), `${behaviours[behaviour]}\n`)
    const data = randomBytes(dataBytes)
    writeFileSync(join(root, 'data.bin'), data)
    datas.set(`${name}@${version}`, createHash('sha256').update(data).digest('hex'))
    return root
  }

  /** Makes a release by the CLI, as a user does. */
  const release = async (name: string, version: string, behaviour: Behaviour = 'good', dataBytes?: number): Promise<string> => {
    const made = await fleet.cli([
      'release',
      'create',
      folder(name, version, behaviour, dataBytes),
      '--name',
      name,
      '--version',
      version,
    ])
    if (made.code !== 0) throw new Error(`Cannot make ${name}@${version}: ${made.stderr}`)
    return `${name}@${version}`
  }

  const lines = (device: string): Witnessed[] => {
    const file = join(witness, device)
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [at, version = '', data = ''] = line.split(' ')
        return { at: Number(at), version, data }
      })
  }

  const deployment = async (id: string): Promise<Deployment> =>
    (await fleet.answered('GET', `/deployments/${id}?limit=1000`)).body as Deployment // as the operation promises

  return {
    fleet,
    witness,
    folder,
    release,
    /** The SHA-256 of the data of a release. */
    dataOf: (ref: string): string => datas.get(ref) ?? '',
    /** What its service has written down on a device, oldest first. */
    lines,
    /** Waits until a device runs this, by what its service writes from now on. */
    runs: (device: string, version: string, data?: string): Promise<unknown> => {
      const before = lines(device).length
      return eventually(`${device} to run ${version}`, () => {
        const fresh = lines(device).slice(before)
        const last = fresh.at(-1)
        return fresh.length >= 3 && last?.version === version && (data === undefined || last.data === data)
      })
    },
    deploy: async (body: Readonly<Record<string, unknown>>): Promise<string> => {
      const answer = await fleet.answered('POST', '/deployments', body)
      if (answer.status !== 201) throw new Error(`The deployment was refused: ${JSON.stringify(answer.body)}`)
      return answer.body.deployment_id
    },
    deployment,
    /** Waits until a deployment is as wanted. */
    when: (what: string, id: string, is: (one: Deployment) => boolean, withinMs = 30_000): Promise<Deployment> =>
      eventually(
        what,
        async () => {
          const one = await deployment(id)
          if (is(one)) return one
          throw new Error(
            `it is ${one.state}: ${one.reason}; ${JSON.stringify(one.device_list.map(({ device, state, reason, progress }) => [device, state, reason, progress]))}`,
          )
        },
        withinMs,
      ),
    close: fleet.close,
  }
}
export type ReleaseWorld = Awaited<ReturnType<typeof startReleaseWorld>>

/** Fast, for tests: healthy after half a second. */
export const quick = { min_healthy_seconds: 0.5, health_timeout_seconds: 15 } as const

export type { Installation }
