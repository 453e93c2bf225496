import { join } from 'node:path'
import { type Capture, captured } from './captures.ts'
import { type Crashing, crashInTurns, startCrashing } from './crashes.ts'
import { writeLines } from './lines.ts'
import { type BenchPart, Missing } from './part.ts'
import { cpuSeconds, median, memoryMb, printTable, rounded } from './statistics.ts'
import { superviseWithPm2 } from './supervisors/pm2.ts'
import { superviseWithSkein, superviseWithSkeinFiles } from './supervisors/skein.ts'
import type { Supervise, Supervisor } from './supervisors/supervisor.ts'
import { superviseWithSupervisord } from './supervisors/supervisord.ts'
import { pause } from './until.ts'
import type { World } from './world.ts'

const lines = 1_000_000
const rounds = 3
const idleMs = 20_000
/** supervisord looks once a second: more would take long, and tell the same. */
const slowKills = 10
const together = 20

/** How soon a service that has crashed runs again, what its supervisor weighs, and how fast what it writes gets into its log. */
export const supervise: BenchPart = {
  about: 'crash to running with 10 and 100 services, memory and idle CPU, lines into a log; beside pm2 and supervisord',
  run: async (world) => {
    const peers: Record<string, Supervise> = { skein: superviseWithSkein, pm2: superviseWithPm2 }
    const few = await crashes(world, peers, 10)
    const many = await crashes(world, peers, 100)
    const written = await captures(world)
    const times = (found: Found): number => Math.min(found.pm2.p50 / found.skein.p50, found.pm2.max / found.skein.max)
    const held = {
      crash_10: times(few) / 2,
      crash_100: times(many) / 2,
      added: 10 / Math.max(few.skein.max, many.skein.max),
      memory: many.pm2.daemonMb / many.skein.daemonMb,
      lines: written.pipe.perSecond / written.pm2.perSecond,
      lines_cpu: written.pm2.daemonCpu / written.pipe.daemonCpu,
      lines_file: written.file === undefined ? 1 : written.file.perSecond / written.pm2.perSecond / 3,
      idle: 1 / many.skein.idlePercent,
    }
    return {
      // The worst of what is demanded, each as a share of its demand.
      ratio: rounded(Math.min(...Object.values(held))),
      must: 1,
      held: Object.fromEntries(Object.entries(held).map(([name, value]) => [name, rounded(value)])),
      ...{ services_10: few, services_100: many, lines: written },
    }
  },
}

interface Figures {
  p50: number
  max: number
  togetherMax: number
  daemonMb: number
  daemonPssMb: number
  helpersPssMb: number
  idlePercent: number
}
type Found = Record<'skein' | 'pm2', Figures> & Partial<Record<'supervisord', Figures>>

const crashes = async (world: World, peers: Readonly<Record<string, Supervise>>, count: number): Promise<Found> => {
  const running = new Map<string, Crashing>()
  for (const [name, peer] of Object.entries(peers)) running.set(name, await startCrashing(world, peer, count))
  const slow = await orMissing(() => startCrashing(world, superviseWithSupervisord, count))
  const all = [...running.values(), ...(slow ? [slow] : [])]
  await pause(3000)
  const idle = await idlePercents(all.map((one) => one.supervisor))

  const kills = Array.from({ length: 100 }, (_, i) => i % count)
  const alone = await crashInTurns([...running.values()], kills)
  const burst = await burstsInTurns([...running.values()], count)
  if (slow) {
    alone.push(...(await crashInTurns([slow], kills.slice(0, slowKills))))
    burst.push([Number.NaN])
  }
  const names = [...running.keys(), ...(slow ? ['supervisord'] : [])]
  const found = names.map((name, i) => {
    const one = all[i]?.supervisor
    if (!one) throw new Error(`${name} was not started`)
    const daemon = memoryMb(one.pid)
    const figures: Figures = {
      p50: rounded(median(alone[i] ?? [])),
      max: rounded(Math.max(...(alone[i] ?? []))),
      togetherMax: rounded(Math.max(...(burst[i] ?? []))),
      daemonMb: rounded(daemon.rss, 1),
      daemonPssMb: rounded(daemon.pss, 1),
      helpersPssMb: rounded(
        one.helpers().reduce((sum, pid) => sum + memoryMb(pid).pss, 0),
        1,
      ),
      idlePercent: rounded(idle[i] ?? Number.NaN, 2),
    }
    return [name, figures] as const
  })
  printTable([
    [
      `${count} services`,
      'p50 ms',
      'max ms',
      `${Math.min(together, count)} at once, max ms`,
      'daemon MB',
      'PSS MB',
      'helpers PSS MB',
      'idle CPU %',
    ],
    ...found.map(([name, one]) => [name, ...Object.values(one)].map((cell) => (Number.isNaN(cell) ? '-' : cell))),
  ])
  for (const one of all) await one.supervisor.end()
  return Object.fromEntries(found) as Found // these names are in `peers`
}

/** A third of them each time. */
const burstsInTurns = async (all: readonly Crashing[], count: number): Promise<number[][]> => {
  const times: number[][] = all.map(() => [])
  const size = Math.min(together, count)
  for (let round = 0; round < rounds; round++)
    for (const [i, one] of all.entries()) {
      const services = Array.from({ length: size }, (_, k) => (round * size + k) % count)
      times[i]?.push(...(await one.crashTogether(services)))
      await pause(500)
    }
  return times
}

/** What each of them uses of a processor while nothing happens, its helpers included. */
const idlePercents = async (all: readonly Supervisor[]): Promise<number[]> => {
  const used = (one: Supervisor): number => [one.pid, ...one.helpers()].reduce((sum, pid) => sum + cpuSeconds(pid), 0)
  const before = all.map(used)
  await pause(idleMs)
  return all.map((one, i) => ((used(one) - (before[i] ?? 0)) / (idleMs / 1000)) * 100)
}

const captures = async (world: World) => {
  const text = join(world.temp('text'), 'lines')
  writeLines(text, lines)
  const found: Record<'pipe' | 'file' | 'pm2' | 'supervisord', Capture[]> = { pipe: [], file: [], pm2: [], supervisord: [] }
  const peers = {
    pipe: superviseWithSkein,
    file: superviseWithSkeinFiles,
    pm2: superviseWithPm2,
    supervisord: superviseWithSupervisord,
  }
  for (let round = 0; round < rounds; round++)
    for (const name of ['pipe', 'file', 'pm2', 'supervisord'] as const) {
      const one = await orMissing(() => captured(world, peers[name], text, lines))
      if (one) found[name].push(one)
    }
  const middle = (list: readonly Capture[], figure: keyof Capture): number => rounded(median(list.map((one) => one[figure])))
  const figuresOf = (list: readonly Capture[]) => ({
    perSecond: Math.round(middle(list, 'perSecond')),
    daemonCpu: middle(list, 'daemonCpu'),
    totalCpu: middle(list, 'totalCpu'),
  })
  printTable([
    [
      'lines/s',
      ...Array.from({ length: rounds }, (_, i) => `round ${i + 1}`),
      'median',
      'CPU s of the daemon',
      'with the service',
    ],
    ...Object.entries(found).map(([name, list]) => [
      name in { pipe: 1, file: 1 } ? `skein, ${name}` : name,
      ...list.map((one) => Math.round(one.perSecond)),
      ...Object.values(figuresOf(list)),
    ]),
  ])
  const { pipe, pm2, file, supervisord } = found
  return {
    ...{ pipe: figuresOf(pipe), pm2: figuresOf(pm2) },
    ...(file.length > 0 ? { file: figuresOf(file) } : {}),
    ...(supervisord.length > 0 ? { supervisord: figuresOf(supervisord) } : {}),
  }
}

const toldMissing = new Set<string>()

/** A peer that is not on this machine is left out, and that is said. */
const orMissing = async <T>(start: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await start()
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    if (!toldMissing.has(error.message)) console.log(`  ${error.message}`)
    toldMissing.add(error.message)
    return undefined
  }
}
