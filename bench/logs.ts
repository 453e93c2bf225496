import { join } from 'node:path'
import Database from 'better-sqlite3'
import { readRecords } from '../schemas/log.ts'
import { type Skein, startSkein } from './installation.ts'
import { lineOf, writeLines } from './lines.ts'
import type { BenchPart } from './part.ts'
import { capturedByPm2, spooled } from './spool.ts'
import { cpuSeconds, median, printTable, rounded } from './statistics.ts'
import type { World } from './world.ts'

const lines = 2_000_000
const rounds = 3
const must = 100_000
const aim = 300_000

/** How many lines a second get from a program's stdout into the controller's database, and into the device's spool, where pm2 writes a file. */
export const logs: BenchPart = {
  about: 'lines of 100 bytes per second, from stdout until the controller has committed the last; and into the spool, beside pm2',
  run: async (world) => {
    const text = join(world.temp('text'), 'lines')
    writeLines(text, lines)
    const skein = await startSkein(world, { devices: 1 })
    const found: Taken[] = []
    for (let round = 0; round < rounds; round++) found.push(await take(skein, text))
    const speed = median(found.map((one) => one.perSecond))
    await skein.up.end()
    const spool = await inTurns(world, text)
    printTable([
      ['', ...found.map((_, i) => `round ${i + 1}`), 'median'],
      ['lines/s, committed', ...found.map((one) => Math.round(one.perSecond)), Math.round(speed)],
      ['CPU s of the device', ...found.map((one) => rounded(one.deviceCpu)), rounded(median(found.map((one) => one.deviceCpu)))],
      ['CPU s of the hub', ...found.map((one) => rounded(one.hubCpu)), rounded(median(found.map((one) => one.hubCpu)))],
      ['lines/s, into the spool', ...spool.skein.map((one) => Math.round(one.perSecond)), Math.round(spool.perSecond)],
      ['lines/s, pm2', ...spool.pm2.map((one) => Math.round(one.perSecond)), Math.round(spool.pm2PerSecond)],
      ['CPU s of the device', ...spool.skein.map((one) => rounded(one.cpu)), rounded(spool.cpu)],
      ['CPU s of pm2', ...spool.pm2.map((one) => rounded(one.cpu)), rounded(spool.pm2Cpu)],
    ])
    return {
      ratio: rounded(Math.min(speed / must, spool.perSecond / spool.pm2PerSecond, spool.pm2Cpu / spool.cpu)),
      must: 1,
      aim: aim / must,
      lines,
      lines_per_second: Math.round(speed),
      device_cpu_seconds: rounded(median(found.map((one) => one.deviceCpu))),
      hub_cpu_seconds: rounded(median(found.map((one) => one.hubCpu))),
      spool_lines_per_second: Math.round(spool.perSecond),
      spool_cpu_seconds: rounded(spool.cpu),
      pm2_lines_per_second: Math.round(spool.pm2PerSecond),
      pm2_cpu_seconds: rounded(spool.pm2Cpu),
    }
  },
}

interface Taken {
  perSecond: number
  deviceCpu: number
  hubCpu: number
}

/** One task that writes all lines. Then every line is compared, in order, with what was written. */
const take = async (skein: Skein, text: string): Promise<Taken> => {
  const device = skein.pidOf('device local')
  const hub = skein.pidOf('hub')
  const before = { device: cpuSeconds(device), hub: cpuSeconds(hub) }
  const from = performance.now()
  const reply = await fetch(`${skein.endpoints.http}/api/v1/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${skein.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ payload: { command: ['cat', text] }, options: { max_output_bytes: 1e9 } }),
  })
  const { task_id: task } = (await reply.json()) as { task_id: string } // what the operation promises
  const db = new Database(skein.paths.logDb, { readonly: true })
  try {
    const extent = db.prepare<[string], { id: number; lines: number }>('select id, lines from log where source = ?')
    let log = extent.get(`${task}-1`)
    while ((log?.lines ?? 0) < lines) {
      if (performance.now() - from > 120_000) throw new Error(`Only ${log?.lines ?? 0} lines arrived:\n${skein.up.said()}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
      log = extent.get(`${task}-1`)
    }
    const perSecond = lines / ((performance.now() - from) / 1000)
    const cpu = { deviceCpu: cpuSeconds(device) - before.device, hubCpu: cpuSeconds(hub) - before.hub }
    verify(db, log?.id ?? 0)
    return { perSecond, ...cpu }
  } finally {
    db.close()
  }
}

const verify = (db: Database.Database, log: number): void => {
  let next = 0
  let seqs = 0
  let begun = ''
  const chunks = db.prepare<[number], { records: Buffer }>('select records from chunk where log = ? order by last').iterate(log)
  for (const { records } of chunks) {
    for (const [seq, , stream, text, goesOn] of readRecords(records.toString('utf8')) ?? []) {
      if (seq !== ++seqs || stream !== 'o' || typeof text !== 'string')
        throw new Error(`record ${seq} is not what was written: ${text}`)
      begun += text
      if (goesOn === 1) continue
      if (begun !== lineOf(next)) throw new Error(`in place of line ${next} there is ${begun}`)
      begun = ''
      next++
    }
  }
  if (next !== lines) throw new Error(`${next} of ${lines} lines are stored`)
}

const inTurns = async (world: World, text: string) => {
  const [skein, pm2] = [[], []] as { perSecond: number; cpu: number }[][]
  for (let round = 0; round < rounds; round++) {
    skein?.push(await spooled(world, text, lines))
    pm2?.push(await capturedByPm2(world, text, lines))
  }
  const middle = (list: readonly { perSecond: number; cpu: number }[] = [], figure: 'perSecond' | 'cpu') =>
    median(list.map((one) => one[figure]))
  return {
    skein: skein ?? [],
    pm2: pm2 ?? [],
    perSecond: middle(skein, 'perSecond'),
    pm2PerSecond: middle(pm2, 'perSecond'),
    cpu: middle(skein, 'cpu'),
    pm2Cpu: middle(pm2, 'cpu'),
  }
}
