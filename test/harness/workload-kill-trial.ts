import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { WorkloadRun } from '../../schemas/workload-status.ts'
import { eventually } from './eventually.ts'
import { type LoneDevice, linesOf, startLoneDevice } from './lone-device.ts'
import { type Seeded, seeded } from './seeded.ts'
import { manySchedules, manyServices, type Plan } from './workload-plans.ts'

export interface WorkloadKillTrial {
  kills: number
  /** Every so many of them is a power cut. */
  cutEvery: number
  seed: number
}

/** What the device has told of each workload, run by run: more than its history keeps. */
type Told = Map<string, Map<string, WorkloadRun>>

/**
 * Kills the daemon of 50 services and 20 schedules with -9 at random moments, and now and then everything with it, as a power cut does.
 * The witness is a file that the programs write: nothing fires twice for one slot, no promised slot is missing, no service is there
 * twice, every start is one that the device knows of, and in the end nothing is left.
 */
export const runWorkloadKillTrial = async ({ kills, cutEvery, seed }: WorkloadKillTrial) => {
  const chance = seeded(seed)
  const device = await startLoneDevice({ bootId: randomUUID() })
  try {
    const witness = join(device.root, 'witness')
    const services = manyServices(witness, chance)
    const schedules = manySchedules(witness, chance)
    const names = [...services, ...schedules].map(({ name }) => name)
    device.write([...services, ...schedules])
    await device.apply()
    const told: Told = new Map(names.map((name) => [name, new Map()]))
    for (let killed = 1; killed <= kills; killed++) {
      await killOnce(device, chance, killed % cutEvery === 0)
      await takeDown(device, told)
    }
    await eventually(
      'every steady service runs',
      async () => (await statesOf(device, /^(steady|parent|checked)/)) === 'running',
      30_000,
    )
    await eventually('only what it knows of runs', () => knowsAll(device), 30_000)
    await quiet(device, names)
    await takeDown(device, told)
    const starts = readWitness(witness)
    judgeStarts(starts, told)
    for (const { name } of services) {
      const { run_count, ...one } = await device.get(name, 1)
      expect(told.get(name)?.size, `${name}: runs that were told of, of ${run_count}; it is ${one.state}`).toBe(run_count)
    }
    for (const plan of schedules) await judgeSlots(device, plan, starts, told.get(plan.name) ?? new Map())
    return { starts: starts.length, runs: [...told.values()].reduce((sum, runs) => sum + runs.size, 0) }
  } catch (error) {
    const log = device.daemonLog().split('\n').slice(-30).join('\n')
    console.error(`workload kill trial with seed ${seed} failed; the log of the daemon ends with:\n${log}`)
    throw error
  } finally {
    await device.close()
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const killOnce = async (device: LoneDevice, chance: Seeded, isPowerCut: boolean): Promise<void> => {
  await pause(chance.between(50, 1500))
  if (isPowerCut) await device.powerCut(randomUUID())
  else await device.kill9()
  await pause(chance.between(0, 800))
  // Now and then it is killed again while it takes up what there is.
  if (chance.isLucky(0.25)) {
    device.begin()
    await pause(chance.between(100, 600))
    await device.kill9()
  }
  await device.start()
}

const takeDown = async (device: LoneDevice, told: Told): Promise<void> => {
  const look = async ([name, runs]: [string, Map<string, WorkloadRun>]): Promise<void> => {
    // Of one with few runs all are shown; no other has more than this many from one kill to the next.
    for (const run of (await device.get(name, 60)).runs) {
      const before = runs.get(run.run_id)
      if (before?.ended_at && JSON.stringify(before) !== JSON.stringify(run)) expect(run, 'it stays as it ended').toEqual(before)
      runs.set(run.run_id, run)
    }
  }
  await Promise.all([...told].map(look))
}

const statesOf = async (device: LoneDevice, which: RegExp): Promise<string> => {
  const { workloads } = await device.ask('list')
  const states = workloads.filter((one: { name: string }) => which.test(one.name)).map((one: { state: string }) => one.state)
  return [...new Set(states)].join()
}

const knowsAll = async (device: LoneDevice): Promise<true> => {
  const before = device.processes()
  const { workloads } = await device.ask('list')
  const known = new Set(workloads.map((one: { run_id: string | null }) => one.run_id))
  // A run that has ended between the two looks is gone at the second.
  const there = new Set(device.processes().map(({ pid }) => pid))
  const strangers = before.filter(({ pid, run }) => !known.has(run) && there.has(pid))
  if (strangers.length > 0) throw new Error(`nobody looks after ${JSON.stringify(strangers)}`)
  return true
}

/** Stops everything by its name; then no process is left, found by what it has inherited, and no folder of a run. */
const quiet = async (device: LoneDevice, names: readonly string[]): Promise<void> => {
  await Promise.all(names.map((name) => device.ask('stop', { workload: name })))
  await eventually(
    'no process is left',
    () => device.processes().length === 0 || Promise.reject(new Error(JSON.stringify(device.processes()))),
  )
  await eventually(
    'no folder of a run is left',
    () => device.runFolders().length === 0 || Promise.reject(new Error(device.runFolders().join())),
  )
}

interface Start {
  name: string
  run: string
  slot: string
  word: string
}

const readWitness = (file: string): Start[] =>
  linesOf(file).map((line) => {
    const [name = '', run = '', slot = '', word = ''] = line.split(' ')
    return { name, run, slot, word }
  })

/** Every start is of a run that was told of, once, and of one workload never two at a time; every run but those cut short has its start. */
const judgeStarts = (starts: readonly Start[], told: Told): void => {
  expect(
    starts.filter(({ word }) => word !== 'starts'),
    'two of a workload at a time',
  ).toEqual([])
  const seen = new Set<string>()
  for (const start of starts) {
    expect(seen.has(start.run), `run ${start.run} of ${start.name} has started twice`).toBe(false)
    seen.add(start.run)
    expect(told.get(start.name)?.get(start.run), `${start.name} tells of run ${start.run}`).toMatchObject({
      slot: start.slot === '-' ? null : start.slot,
    })
  }
  for (const [name, runs] of told) {
    for (const run of runs.values()) {
      expect(run.ended_at, `${name}: run ${JSON.stringify(run)} has ended`).not.toBeNull()
      if (!seen.has(run.run_id)) expect(isCutShort(run), `${name}: nothing has begun of ${JSON.stringify(run)}`).toBe(true)
      if (run.state === 'failed' && !isCutShort(run))
        expect(String(run.reason), `${name}: ${JSON.stringify(run)}`).toMatch(/^exited with \d+$/)
    }
  }
}

/** It may have been stopped, or the power may have gone, before the first word of its program. */
const isCutShort = ({ state, reason }: WorkloadRun): boolean => state === 'stopped' || reason === 'device_rebooted'

/** No slot twice; where each of them is promised, every one; where one may be skipped, the log says which. */
const judgeSlots = async (
  device: LoneDevice,
  plan: Plan,
  starts: readonly Start[],
  runs: ReadonlyMap<string, WorkloadRun>,
): Promise<void> => {
  const fired = starts.filter(({ name }) => name === plan.name).map(({ slot }) => slot)
  expect(new Set(fired).size, `${plan.name}: slots that fired ${fired}`).toBe(fired.length)
  const slots = [...runs.values()].flatMap(({ slot }) => (slot === null ? [] : [Date.parse(slot)])).sort((a, b) => a - b)
  expect(new Set(slots).size, `${plan.name}: slots that were told of`).toBe(slots.length)
  const stepMs = String(plan['schedule']).startsWith('*/2') ? 2000 : 1000
  const due = (slots.at(-1) ?? 0) - (slots[0] ?? 0)
  const all = Array.from({ length: due / stepMs + 1 }, (_, i) => (slots[0] ?? 0) + i * stepMs)
  const missing = all.filter((slot) => !slots.includes(slot)).map((slot) => new Date(slot).toISOString())
  if (plan.overlap === 'queue') return expect(missing, `${plan.name}: missing slots`).toEqual([])
  const said = (await device.records(plan.name)).flatMap(([, , stream, text]) => (stream === 's' ? [String(text)] : []))
  const skipped = missing.filter((slot) => !said.some((text) => text.includes(slot.replace('Z', ''))))
  expect(skipped, `${plan.name} (${plan.overlap}): slots of which nothing is said`).toEqual([])
}
