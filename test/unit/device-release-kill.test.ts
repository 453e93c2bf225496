import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { randomFrom } from '../simulation/sim-clock.ts'
import { createReleaseWorld, packed, type ReleaseWorld, workload } from './device-release-world.ts'

let world: ReleaseWorld
beforeEach(() => {
  world = createReleaseWorld()
})
afterEach(() => world.close())

const old = () =>
  packed({
    'workloads/all.yaml': `workloads: [${workload('web')}, ${workload('gone')}]`,
    'data/text': 'old',
    'data/big': noise(1, 200_000),
  })
const fresh = () =>
  packed({
    'workloads/all.yaml': `workloads: [${workload('web')}, ${workload('extra')}]`,
    'data/text': 'new',
    'data/big': noise(2, 300_000),
  })

/** Bytes that cannot be compressed. */
const noise = (seed: number, count: number): Buffer => {
  const random = randomFrom(seed)
  return Buffer.from(Uint8Array.from({ length: count }, () => random() * 256))
}

const shownContent = (workload: string): string =>
  readFileSync(join(world.order(workload)?.payload.env?.['SKEIN_RELEASE_DIR'] ?? '', 'data/text'), 'utf8')

/** What the device says its workloads are, in its journal and in memory. */
const origins = (): string[] =>
  world
    .now()
    .workloads.statuses()
    .map(({ name, origin }) => `${name} ${origin}`)
const isOld = ['gone app@1', 'web app@1']
const isNew = ['extra app@2', 'web app@2']

/** Lets the daemon die at its so many-th step of what `act` begins; false if it never comes to that. */
const killedAt = async (count: number, act: () => Promise<unknown>, isOver: () => boolean): Promise<boolean> => {
  let steps = 0
  let isDead = false
  world.atSteps(() => {
    if (steps++ !== count) return
    isDead = true
    world.die()
  })
  void act().catch(() => undefined) // it may be dead before
  await world.until('it has died, or all is over', () => isDead || isOver())
  return isDead
}

describe('a daemon that is killed', () => {
  test('at any step of an update goes on with it: all of the old one, or all of the new one', { timeout: 120_000 }, async () => {
    const [before, after] = [await old(), await fresh()]
    let kills = 0
    for (let count = 0; ; count++) {
      await world.want(world.release('app', '1', before, { deployment: `old-${count}` }))
      await world.state('app', 'healthy')
      await world.until('it runs', () => world.running()['gone'] === 'app@1')
      const next = world.release('app', '2', after, { deployment: `new-${count}` })
      const wasKilled = await killedAt(
        count,
        () => world.want(next),
        () => world.shown('app')?.state === 'healthy' && world.shown('app')?.active?.version === '2',
      )
      if (wasKilled) {
        kills++
        await world.restart({ reboots: count % 3 === 0 })
        expect([isOld, isNew], `after step ${count}`).toContainEqual(origins())
        // Where the document itself had not been stored, the broker gives it again.
        if (world.shown('app')?.wanted?.deployment !== next.deployment) await world.want(next)
      }
      await world.state('app', 'healthy')
      await world.until('the new one runs', () => world.running()['extra'] === 'app@2' && world.running()['web'] === 'app@2')
      expect([world.running(), origins(), shownContent('web')]).toEqual([{ extra: 'app@2', web: 'app@2' }, isNew, 'new'])
      await world.restart()
      // So that the next round brings it again.
      rmSync(world.unpacked(after), { recursive: true, force: true })
      if (!wasKilled) break
    }
    expect(kills).toBeGreaterThan(8)
  })

  test('at any step of a removal goes on with it', { timeout: 60_000 }, async () => {
    const pack = await old()
    for (let count = 0; ; count++) {
      await world.want(world.release('app', '1', pack))
      await world.state('app', 'healthy')
      await world.until('it runs', () => world.running()['gone'] && world.running()['web'])
      const isGone = (): boolean => world.now().releases.reported()?.length === 0
      const wasKilled = await killedAt(count, () => world.want(), isGone)
      await world.restart()
      if (world.shown('app')?.wanted) await world.want()
      await world.until('it is gone', () => isGone() && Object.keys(world.running()).length === 0)
      expect(origins()).toEqual([])
      await world.restart()
      expect([origins(), world.running()]).toEqual([[], {}])
      if (!wasKilled) break
    }
  })

  test('at any step of going back by itself ends where it was to go', { timeout: 120_000 }, async () => {
    const [before, bad] = [await old(), await packed({ 'workloads/a.yaml': workload('web', { code: 1, seconds: 1 }) })]
    world.wire.isReached = false
    for (let count = 0; ; count++) {
      await world.want(world.release('app', '1', before, { deployment: `old-${count}` }))
      await world.state('app', 'healthy')
      await world.want(world.release('app', '2', bad, { deployment: `bad-${count}` }))
      await world.state('app', 'failed')
      const isBack = (): boolean => world.shown('app')?.went_back === true
      const wasKilled = await killedAt(count, async () => undefined, isBack)
      await world.restart({ reboots: count % 2 === 0 })
      await world.until('it went back', isBack)
      await world.until('it runs', () => world.running()['gone'] === 'app@1' && world.running()['web'] === 'app@1')
      expect([origins(), shownContent('web')]).toEqual([isOld, 'old'])
      if (!wasKilled) break
    }
  })

  test('while it settles counts what is well anew, and what is over not: its time goes on', async () => {
    const judge = { min_healthy_seconds: 20, health_timeout_seconds: 45, goes_back: false }
    await world.want(world.release('app', '1', await old(), { judge }))
    await world.state('app', 'settling')
    await world.pass(15_000)
    await world.restart()
    await world.pass(15_000)
    expect(world.shown('app')).toMatchObject({ state: 'settling' })
    await world.restart()
    expect(await world.state('app', 'failed')).toMatchObject({
      reason: expect.stringContaining('within 45 s: it was well only for the last'),
    })
    expect(world.running()).toEqual({ gone: 'app@1', web: 'app@1' })
  })

  test('between two failures has not forgotten the first', async () => {
    await world.want(world.release('app', '1', await packed({ 'workloads/a.yaml': workload('web', { code: 1, seconds: 3 }) })))
    await world.until('it has failed once', () => world.now().workloads.statuses()[0]?.failures === 1)
    await world.restart()
    expect(await world.state('app', 'failed')).toMatchObject({ reason: '"web" has ended in failure twice: exited with 1' })
    expect(world.machine.starts.size).toBe(2)
  })

  test('in the midst of a download goes on from what has come', async () => {
    const pack = await packed({ 'workloads/a.yaml': workload('web'), big: noise(3, 5_000_000) })
    let sent = 0
    world.wire.bend = (piece) => (++sent > 40 ? null : piece)
    await world.want(world.release('app', '1', pack))
    await world.until('a part has come', () => sent > 40 && statSync(world.part(pack)).size === 40 * 65_536)
    world.wire.bend = (piece) => piece
    world.wire.asked.length = 0
    await world.restart({ reboots: true })
    await world.state('app', 'healthy')
    expect(Math.min(...world.wire.asked.map(({ offset }) => offset))).toBe(40 * 65_536)
  })
})

describe('after a power cut', () => {
  test('what was unpacked is looked at before it is used, and brought again if it is damaged', async () => {
    const [one, two] = [await old(), await fresh()]
    await world.want(world.release('app', '1', one))
    await world.state('app', 'healthy')
    await world.want(world.release('app', '2', two))
    await world.state('app', 'healthy')
    world.wire.asked.length = 0
    const text = join(world.unpacked(one), 'data/text')
    await world.restart({ reboots: true, meanwhile: () => writeFileSync(text, 'odd') })
    await world.want(world.release('app', '1', one, { deployment: 'back' }))
    await world.state('app', 'healthy')
    expect([shownContent('web'), world.wire.asked.length > 0]).toEqual(['old', true])
  })

  test('what is not there any more is brought again, and begins anew in it', async () => {
    const pack = await old()
    await world.want(world.release('app', '1', pack))
    await world.state('app', 'healthy')
    await world.restart({ reboots: true, meanwhile: () => rmSync(world.unpacked(pack), { recursive: true }) })
    await world.state('app', 'settling')
    await world.until('it runs', () => world.running()['gone'] === 'app@1' && world.running()['web'] === 'app@1')
    expect(shownContent('web')).toBe('old')
  })

  test('what was begun and not finished is removed', async () => {
    const meanwhile = (): void => {
      for (const name of ['.new-x', '.old-y', `${'0'.repeat(64)}`]) writeFileSync(join(world.folder, 'releases', name), 'x')
    }
    const pack = await old()
    await world.want(world.release('app', '1', pack))
    await world.state('app', 'healthy')
    await world.restart({ reboots: true, meanwhile })
    await world.until('it is tidy', () => world.files().length === 1)
    expect(world.files()).toEqual([pack.digest])
  })

  test('at random moments, with the last bytes of what was written damaged, it is the old one or the new one', {
    timeout: 180_000,
  }, async () => {
    const random = randomFrom(42)
    const [before, after] = [await old(), await fresh()]
    for (let i = 0; i < 12; i++) {
      await world.want(world.release('app', '1', before, { deployment: `old-${i}` }))
      await world.state('app', 'healthy')
      await world.until('it runs', () => world.running()['gone'] === 'app@1')
      const next = world.release('app', '2', after, { deployment: `new-${i}` })
      await killedAt(
        Math.floor(random() * 16),
        () => world.want(next),
        () => world.shown('app')?.state === 'healthy' && world.shown('app')?.active?.version === '2',
      )
      await world.restart({ reboots: true, meanwhile: () => damageTails(random) })
      // The daemon begins a new journal where the old one is broken: then nothing is left of what it knew.
      const known = origins()
      expect([[], isOld, isNew], `round ${i}`).toContainEqual(known)
      if (world.shown('app')?.wanted?.deployment !== next.deployment) await world.want(next)
      await world.state('app', 'healthy')
      await world.until('the new one runs', () => world.running()['extra'] === 'app@2' && world.running()['web'] === 'app@2')
      expect([origins(), shownContent('web')]).toEqual([isNew, 'new'])
      await world.restart()
      rmSync(world.unpacked(after), { recursive: true, force: true })
    }
  })
})

/** What the disk had not taken yet when the power went: the end of the log of the journal, and of what was being brought. */
const damageTails = (random: () => number): void => {
  const releases = join(world.folder, 'releases')
  const parts = readdirSync(releases).filter((name) => name.endsWith('.part'))
  for (const file of [join(world.folder, 'journal.db-wal'), ...parts.map((name) => join(releases, name))]) {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
    const bytes = Math.min(size, Math.floor(random() * 600))
    if (bytes === 0) continue
    const fd = openSync(file, 'r+')
    if (random() < 0.5) ftruncateSync(fd, size - bytes)
    else writeSync(fd, Buffer.alloc(bytes, Math.floor(random() * 256)), 0, bytes, size - bytes)
    closeSync(fd)
  }
}
