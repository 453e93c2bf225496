import { cpSync, existsSync, lstatSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { eventually } from './eventually.ts'
import { type Installation, startInstallation } from './installation.ts'
import { type Seeded, seeded } from './seeded.ts'

export const damages = ['truncated', 'garbled', 'torn-wal', 'missing-shm', 'zero-length', 'no-database'] as const
export type Damage = (typeof damages)[number]

/** What SQLite itself takes in its stride, or may not even notice. */
const isHarmless = (damage: Damage): boolean => damage === 'torn-wal' || damage === 'missing-shm'

/**
 * An installation with some work behind it, whose files are damaged again and again: each time it starts, keeps what it can, says what it found,
 * and works; nothing that had run runs again.
 */
export const startDamageTrial = async () => {
  const fleet = await startInstallation()
  const witness = join(fleet.root, 'witness')
  const lines = (): string[] => (existsSync(witness) ? readFileSync(witness, 'utf8').split('\n').slice(0, -1) : [])
  const submit = (name: string): Promise<string> =>
    fleet.submit({
      payload: {
        command: [
          'sh',
          '-c',
          `echo ${name} >>'${witness}'; i=0; while [ $i -lt 40 ]; do echo "${name} says line $i of its forty lines"; i=$((i+1)); done`,
        ],
      },
    })
  for (let round = 0; round < 6; round++) {
    const ids = await Promise.all(Array.from({ length: 10 }, (_, i) => submit(`before-${round}-${i}`)))
    for (const id of ids) await fleet.ended(id)
  }
  // As a kill leaves it, with much in the log, and as an end in good order leaves it.
  await fleet.endUp('SIGKILL')
  await eventually('an end of all parts', () => fleet.processes().length === 0)
  const killed = join(fleet.root, 'killed')
  cpSync(fleet.data, killed, { recursive: true, filter: isKept })
  await fleet.startAgain()
  await fleet.online('local')
  await fleet.endUp('SIGTERM')
  const ended = join(fleet.root, 'ended')
  cpSync(fleet.data, ended, { recursive: true, filter: isKept })

  const trial = async (target: 'controller.db' | 'logs.db' | 'journal.db', damage: Damage, seed: number): Promise<void> => {
    const what = `${target}, ${damage}, seed ${seed}`
    rmSync(fleet.data, { recursive: true, force: true })
    cpSync(isHarmless(damage) ? killed : ended, fleet.data, { recursive: true })
    const file = {
      'controller.db': fleet.paths.controllerDb,
      'logs.db': fleet.paths.logDb,
      'journal.db': fleet.paths.device('local').journal,
    }[target]
    const isDone = inflict(file, damage, seeded(seed))
    const before = lines()
    const logBefore = fleet.log().length
    await fleet.startAgain()
    try {
      await fleet.online('local')
      const name = `after-${seed}-${damage}-${target}`
      const id = await submit(name)
      expect((await fleet.ended(id)).state, what).toBe('succeeded')
      expect(lines().slice(before.length), `${what}: only the new task runs`).toEqual([name])
      const { body } = await fleet.answered('GET', '/tasks?limit=100')
      for (const task of body.tasks) expect(['succeeded', 'lost'], `${what}: ${JSON.stringify(task)}`).toContain(task.state)
      if (target !== 'controller.db') expect(body.tasks.length, `${what}: all tasks are there`).toBe(61)
      const said = fleet.log().slice(logBefore)
      if (isDone && ['zero-length', 'no-database', 'truncated'].includes(damage)) {
        expect(said, what).toMatch(/is damaged/)
        const status = (await fleet.answered('GET', '/status')).body
        const local = JSON.parse((await fleet.cli(['local', 'status', '--json'])).stdout)
        expect(target === 'journal.db' ? local.damage : status.damage[0], what).toContain(target)
      }
      const restarts = said.split('a part has ended and is started again').length - 1
      expect(restarts, `${what}: no crash loop; the log ends with ${said.slice(-2000)}`).toBeLessThanOrEqual(2)
    } finally {
      await fleet.endUp('SIGTERM')
    }
  }
  return { trial, close: (): Promise<void> => fleet.close() }
}
export type DamageTrial = Awaited<ReturnType<typeof startDamageTrial>>
export type { Installation }

/** Sockets, pipes and locks belong to a process. */
const isKept = (path: string): boolean => {
  const found = lstatSync(path)
  return (found.isFile() || found.isDirectory()) && !/(\.lock|\.lock-journal|\.pid|endpoints\.json)$/.test(path)
}

/** Damages a database; says whether there was anything to damage. */
const inflict = (file: string, damage: Damage, chance: Seeded): boolean => {
  const size = statSync(file).size
  switch (damage) {
    case 'truncated':
      truncateSync(file, chance.between(1, size - 1) | 0)
      return true
    case 'zero-length':
      truncateSync(file, 0)
      return true
    case 'no-database': {
      const bytes = readFileSync(file)
      bytes.fill('no database ', 0, 100)
      writeFileSync(file, bytes)
      return true
    }
    case 'garbled': {
      const bytes = readFileSync(file)
      for (let page = 0; page < 3; page++) {
        const at = 4096 * chance.below(Math.max(1, Math.floor(size / 4096)))
        for (let i = at; i < Math.min(at + 4096, size); i++) bytes[i] = chance.below(256)
      }
      writeFileSync(file, bytes)
      return true
    }
    case 'torn-wal': {
      const wal = `${file}-wal`
      if (!existsSync(wal)) return false
      const bytes = readFileSync(wal)
      const at = chance.below(bytes.length)
      for (let i = at; i < Math.min(at + 64, bytes.length); i++) bytes[i] = chance.below(256)
      writeFileSync(wal, chance.isLucky(0.5) ? bytes : bytes.subarray(0, at))
      return true
    }
    case 'missing-shm':
      rmSync(`${file}-shm`, { force: true })
      return true
  }
}
