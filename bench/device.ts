import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Skein, skeinProgram, startSkein } from './installation.ts'
import type { BenchPart } from './part.ts'
import { median, printTable, rounded } from './statistics.ts'
import type { World } from './world.ts'

const rounds = 5
const restMs = 3000
const must = { mb: 75, ms: 500 }
const aim = { mb: 60, ms: 350 }

/** What a device's daemon weighs when it has nothing to do, and how long it takes from its exec until it is welcomed. */
export const device: BenchPart = {
  about: 'resident memory of an idle daemon, and the time from its start until the controller has welcomed it',
  run: async (world) => {
    const skein = await startSkein(world)
    const bare: number[] = []
    const found: Weighed[] = []
    for (let round = 0; round < rounds; round++) {
      bare.push(await bareNodeMs(world))
      found.push(await weigh(world, skein, `pi-${round}`))
    }
    const [mb, pss, ms] = (['rssMb', 'pssMb', 'readyMs'] as const).map((figure) => median(found.map((one) => one[figure])))
    if (mb === undefined || pss === undefined || ms === undefined) throw new Error('nothing was measured')
    printTable([
      ['', ...found.map((_, i) => `round ${i + 1}`), 'median'],
      ['resident MB', ...found.map(({ rssMb }) => rounded(rssMb, 1)), rounded(mb, 1)],
      ['proportional MB', ...found.map(({ pssMb }) => rounded(pssMb, 1)), rounded(pss, 1)],
      ['ready ms', ...found.map(({ readyMs }) => Math.round(readyMs)), Math.round(ms)],
      ['node -e 0, ms', ...bare.map(Math.round), Math.round(median(bare))],
    ])
    return {
      ratio: rounded(Math.min(must.mb / mb, must.ms / ms)),
      must: 1,
      aim: rounded(Math.min(must.mb / aim.mb, must.ms / aim.ms)),
      resident_mb: rounded(mb, 1),
      proportional_mb: rounded(pss, 1),
      ready_ms: Math.round(ms),
      bare_node_ms: Math.round(median(bare)),
    }
  },
}

interface Weighed {
  rssMb: number
  pssMb: number
  readyMs: number
}

const weigh = async (world: World, skein: Skein, name: string): Promise<Weighed> => {
  const { folder, token } = skein.paths.device(name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(token, await skein.tokenFor(name, 'device'), { mode: 0o600 })
  const plain = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('SKEIN_')))
  const from = performance.now()
  const daemon = world.start(skeinProgram, ['device', '--name', name], {
    env: { ...plain, SKEIN_DATA: skein.data, SKEIN_URL: skein.endpoints.mqtt },
  })
  while (!daemon.said().includes('device is ready')) {
    if (performance.now() - from > 20_000) throw new Error(`The device is not ready:\n${daemon.said()}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const readyMs = performance.now() - from
  await new Promise((resolve) => setTimeout(resolve, restMs))
  const rollup = readFileSync(`/proc/${daemon.pid}/smaps_rollup`, 'utf8')
  const mb = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1024
  const weighed = { rssMb: mb('Rss'), pssMb: mb('Pss'), readyMs }
  await daemon.end()
  return weighed
}

const bareNodeMs = async (world: World): Promise<number> => {
  const from = performance.now()
  await world.start(process.execPath, ['-e', '0']).exited
  return performance.now() - from
}
