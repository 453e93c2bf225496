import { join } from 'node:path'
import type { Service, Supervise, Supervisor } from './supervisors/supervisor.ts'
import { pause, until } from './until.ts'
import { nowMs, startCount, startsIn, writeWitness } from './witness.ts'
import type { World } from './world.ts'

/** Many services below one supervisor, each with a file in which its starts are. */
export interface Crashing {
  supervisor: Supervisor
  /** Kills one and resolves with the ms until it has been started again. */
  crash(service: number): Promise<number>
  /** Kills several at the same moment. */
  crashTogether(services: readonly number[]): Promise<number[]>
}

export const startCrashing = async (world: World, supervise: Supervise, count: number): Promise<Crashing> => {
  const folder = world.temp('witness')
  const witness = writeWitness(folder)
  const files = Array.from({ length: count }, (_, i) => join(folder, String(i)))
  const services = files.map((file, i): Service => ({ name: `service-${i}`, command: [witness, file] }))
  const supervisor = await supervise(world, services)
  await until(`${count} services that run`, () => files.every((file) => startCount(file) > 0), 120_000)

  const kill = (service: number): { file: string; known: number; atMs: number } => {
    const file = files[service] ?? ''
    const starts = startsIn(file)
    const atMs = nowMs()
    process.kill(starts.at(-1)?.pid ?? Number.NaN, 'SIGKILL')
    return { file, known: starts.length, atMs }
  }
  const crashTogether = async (indexes: readonly number[]): Promise<number[]> => {
    const killed = indexes.map(kill)
    await until('services that run again', () => killed.every(({ file, known }) => startCount(file) > known))
    return killed.map(({ file, known, atMs }) => (startsIn(file)[known]?.atMs ?? Number.NaN) - atMs)
  }
  return {
    supervisor,
    crashTogether,
    crash: async (service) => (await crashTogether([service]))[0] ?? Number.NaN,
  }
}

/** Kills one service after the other, each below every supervisor in turn: what else the machine does meanwhile hits all of them. */
export const crashInTurns = async (all: readonly Crashing[], kills: readonly number[]): Promise<number[][]> => {
  const times: number[][] = all.map(() => [])
  for (const service of kills)
    for (const [i, one] of all.entries()) {
      times[i]?.push(await one.crash(service))
      // What follows a start is not to fall into the next measurement.
      await pause(25)
    }
  return times
}
