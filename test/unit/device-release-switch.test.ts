import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createReleaseWorld, packed, type ReleaseWorld, workload } from './device-release-world.ts'

let world: ReleaseWorld
beforeEach(() => {
  world = createReleaseWorld()
})
afterEach(() => world.close())

/** A release with a file that tells its content, and these workloads. */
const some = (text: string, ...workloads: string[]) =>
  packed({
    'workloads/all.yaml': `workloads: [${(workloads.length > 0 ? workloads : [workload('web')]).join(', ')}]`,
    'data/text': text,
  })

/** What the program of a workload finds in the folder of its release. */
const contentOf = (name: string): string =>
  readFileSync(join(world.order(name)?.payload.env?.['SKEIN_RELEASE_DIR'] ?? '', 'data/text'), 'utf8')

/** Applies files of this machine, as its people do. */
const applyLocal = async (text: string) => {
  const folder = join(world.root, 'local')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'all.yaml'), text)
  const applied = world.now().requests.apply({ paths: [folder] })
  await world.pass()
  return applied
}

test('a release that is wanted is brought, unpacked, applied and, after its time, healthy; its workloads know of which release they are', async () => {
  const pack = await some('first')
  await world.want(world.release('sensors', '1.0.0', pack, { env: { LEVEL: 'high' } }))
  await world.state('sensors', 'healthy')
  expect(world.running()).toEqual({ web: 'sensors@1.0.0' })
  expect(world.shown('sensors')).toMatchObject({
    active: { version: '1.0.0', digest: pack.digest },
    wanted: { version: '1.0.0', deployment: 'deploy-sensors-1.0.0' },
    reason: null,
  })
  expect(world.order('web')?.payload.env).toMatchObject({ LEVEL: 'high', SKEIN_RELEASE_DIR: world.unpacked(pack) })
  expect([contentOf('web'), world.order('web')?.payload.cwd]).toEqual(['first', join(world.unpacked(pack), 'workloads')])
  expect(world.files()).toEqual([pack.digest])
  const states = world.now().told.map((releases) => releases?.[0]?.state)
  expect([...new Set(states)]).toEqual(['downloading', 'unpacking', 'applying', 'settling', 'healthy'])
})

describe('a newer release', () => {
  test('takes the place of the one before in one step: what it has not is gone, and both never are there', async () => {
    await world.want(world.release('app', '1', await some('old', workload('web'), workload('gone'))))
    await world.state('app', 'healthy')
    const before = world.unpacked(await some('old', workload('web'), workload('gone')))
    await world.want(world.release('app', '2', await some('new', workload('web'), workload('extra'))))
    expect(world.running()).toEqual({ web: 'app@1', gone: 'app@1' })
    await world.state('app', 'healthy')
    expect(world.running()).toEqual({ web: 'app@2', extra: 'app@2' })
    expect(contentOf('web')).toBe('new')
    expect(
      world
        .now()
        .workloads.statuses()
        .map(({ name, origin }) => `${name} ${origin}`),
    ).toEqual(['extra app@2', 'web app@2'])
    expect(existsSync(before), 'to go back to').toBe(true)
    await world.want(world.release('app', '3', await some('newest')))
    await world.state('app', 'healthy')
    await world.until('what nobody needs is gone', () => !existsSync(before))
  })

  test('of the same content under another version starts what runs again: it is told its version', async () => {
    const pack = await some('same')
    await world.want(world.release('app', '1', pack))
    await world.state('app', 'healthy')
    await world.want(world.release('app', '2', pack))
    await world.state('app', 'healthy')
    expect(world.running()).toEqual({ web: 'app@2' })
    expect(world.wire.asked.length, 'it was brought once').toBe(1)
  })

  test('that is overtaken while it is brought is not applied', async () => {
    const [slow, fast] = [await some('slow'), await some('fast')]
    world.wire.bend = () => null
    await world.want(world.release('app', '1', slow))
    await world.until('it is asked for', () => world.wire.asked.length > 0)
    world.wire.bend = (piece) => piece
    await world.want(world.release('app', '2', fast))
    await world.state('app', 'healthy')
    expect(world.running()).toEqual({ web: 'app@2' })
    await world.until('what came of it is gone', () => world.files().length === 1)
    expect(world.files()).toEqual([fast.digest])
  })
})

describe('what is wanted in the very moment in which another release is switched to', () => {
  test.each([
    ['before', (call: () => void) => call()],
    ['behind', queueMicrotask],
  ])('comes after it, if it is written %s that', async (_, when) => {
    const [one, two] = [await some('one'), await some('two')]
    let isUnpacked = false
    let count = 0
    world.atSteps((what) => {
      isUnpacked ||= what === 'after unpacking'
      // That it is whole is noted first.
      if (isUnpacked && what === 'before a commit' && ++count === 2) when(() => void world.want(world.release('app', '2', two)))
    })
    await world.want(world.release('app', '1', one))
    await world.until('the other is wanted', () => world.shown('app')?.wanted?.version === '2')
    await world.state('app', 'healthy')
    expect([world.running(), contentOf('web')]).toEqual([{ web: 'app@2' }, 'two'])
  })
})

describe('the same release by another deployment', () => {
  test('is judged again, and nothing that is well is started again', async () => {
    const pack = await some('same')
    await world.want(world.release('app', '1', pack))
    await world.state('app', 'healthy')
    const starts = world.machine.starts.size
    await world.want(world.release('app', '1', pack, { deployment: 'another' }))
    await world.state('app', 'settling')
    await world.state('app', 'healthy')
    expect([world.machine.starts.size, world.shown('app')?.wanted?.deployment]).toEqual([starts, 'another'])
  })

  test('starts again what somebody has stopped, and what was given up', async () => {
    const pack = await some(
      'same',
      workload('web'),
      workload('bad', { code: 3, seconds: 0 }, { restart: { crash_loop: { starts: 1, within_seconds: 60 } } }),
    )
    await world.want(world.release('app', '1', pack))
    expect(await world.state('app', 'failed')).toMatchObject({ reason: expect.stringContaining('"bad" is in a crash loop') })
    void world.now().requests.stop({ workload: 'web' })
    await world.until('it is stopped', () => Object.keys(world.running()).length === 0)
    const starts = world.machine.starts.size
    await world.want(world.release('app', '1', pack, { deployment: 'another' }))
    await world.state('app', 'failed')
    await world.until('it runs', () => world.running()['web'])
    expect(world.machine.starts.size).toBe(starts + 2)
  })

  test('that it was judged by before is not judged again', async () => {
    const pack = await some('first')
    const first = world.release('app', '1', pack)
    await world.want(first)
    await world.state('app', 'healthy')
    world.room.lack = 'disk_full: no room'
    await world.want(world.release('app', '2', await some('second')))
    expect(await world.state('app', 'failed')).toMatchObject({ reason: 'disk_full: no room', active: { version: '1' } })
    await world.want(first)
    expect(world.shown('app')).toMatchObject({ state: 'healthy', wanted: { version: '1' }, reason: null })
  })
})

describe('a release fails', () => {
  test('when a workload of it ends in failure a second time; what runs stays, and its reason tells', async () => {
    const pack = await some('bad', workload('web'), workload('bad', { code: 3, seconds: 1 }))
    await world.want(world.release('app', '1', pack))
    expect(await world.state('app', 'failed')).toMatchObject({
      reason: '"bad" has ended in failure twice: exited with 3',
      active: { version: '1' },
    })
    expect(world.running()).toMatchObject({ web: 'app@1' })
  })

  test('when it is not healthy in time', async () => {
    const pack = await some('bad', workload('web', {}, { health: { tcp: '127.0.0.1:1', start_period_seconds: 1000 } }))
    await world.want(world.release('app', '1', pack))
    expect(await world.state('app', 'failed')).toMatchObject({
      reason: 'it was not healthy within 60 s: "web" is not checked yet',
    })
  })

  test.each([
    ['workloads that cannot be read', 'workloads: [{ name: web, typ: service }]', /^workloads\/all\.yaml:1: .*typ/],
    ['no YAML', '{', /^workloads\/all\.yaml:/],
  ])('when it has %s, and nothing of it runs', async (_, text, reason) => {
    await world.want(world.release('app', '1', await packed({ 'workloads/all.yaml': text })))
    expect((await world.state('app', 'failed')).reason).toMatch(reason)
    expect([world.running(), world.shown('app')?.active]).toEqual([{}, null])
  })

  test('when this device cannot enforce what it asks for', async () => {
    world.cannot.run = 'user: there is no user "nobody-here" here'
    await world.want(world.release('app', '1', await some('x')))
    expect((await world.state('app', 'failed')).reason).toBe(
      '"web" cannot be run here: user: there is no user "nobody-here" here',
    )
  })

  test('when a variable of it is none', async () => {
    await world.want(world.release('app', '1', await some('x'), { env: { 'A; reboot': 'x' } }))
    expect((await world.state('app', 'failed')).reason).toMatch(/^env: /)
  })

  test('when a name of it is that of a local workload, which is left alone; and the other way round', async () => {
    expect(await applyLocal(workload('web'))).toMatchObject({ ok: true })
    await world.want(world.release('app', '1', await some('x', workload('other'), workload('web'))))
    expect((await world.state('app', 'failed')).reason).toBe(
      `"web" is the name of a workload of ${join(world.root, 'local/all.yaml')}`,
    )
    expect(world.running()).toEqual({ web: 'local' })
    await world.want(world.release('app', '2', await some('x', workload('other'))))
    await world.state('app', 'healthy')
    const refused = await applyLocal(workload('other'))
    expect(refused).toMatchObject({
      ok: false,
      error: {
        message: expect.stringContaining('"other" is the name of a workload of release app@2; a deployment removes that'),
      },
    })
    expect(await world.now().requests.delete({ workload: 'other' })).toMatchObject({ ok: false, error: { code: 'conflict' } })
  })

  test('and does not hold up another; nor does one that cannot be brought', async () => {
    await world.want(
      world.release('bad', '1', await some('x', workload('a', { code: 1, seconds: 0 }))),
      world.release('lost', '1', { ...(await some('y', workload('b'))), bytes: Buffer.alloc(0) }),
      world.release('clash', '1', await some('z', workload('web'))),
      world.release('good', '1', await some('w', workload('c'))),
    )
    await world.state('good', 'healthy')
    await world.state('bad', 'failed')
    expect(world.shown('lost')).toMatchObject({ state: 'downloading', progress: { bytes: 0 } })
  })

  test('two that want the same name: the second is refused, and named', async () => {
    await world.want(world.release('a', '1', await some('x')))
    await world.state('a', 'healthy')
    await world.want(world.release('a', '1', await some('x')), world.release('b', '1', await some('y')))
    expect((await world.state('b', 'failed')).reason).toBe('"web" is the name of a workload of release a@1')
    expect([world.running(), world.shown('a')?.state]).toEqual([{ web: 'a@1' }, 'healthy'])
  })
})

describe('a release that is not wanted any more', () => {
  test('is stopped and removed; it is shown until its last run is over, and then its folder goes', async () => {
    await world.want(world.release('app', '1', await some('x', workload('web', { stubborn: true }, { stop_grace_seconds: 5 }))))
    await world.state('app', 'healthy')
    await world.want()
    await world.state('app', 'removing')
    expect([world.running(), world.shown('app')?.wanted]).toEqual([{ web: 'app@1' }, null])
    await world.until('it is gone', () => world.now().releases.reported()?.length === 0)
    expect([world.running(), world.now().workloads.statuses()]).toEqual([{}, []])
    await world.until('its folder is gone', () => world.files().length === 0)
  })

  test('and is wanted again while it ends is begun again, one run at a time', async () => {
    const release = world.release('app', '1', await some('x', workload('web', { stubborn: true }, { stop_grace_seconds: 5 })))
    await world.want(release)
    await world.state('app', 'healthy')
    await world.want()
    await world.state('app', 'removing')
    await world.want({ ...release, deployment: 'again' })
    await world.state('app', 'healthy')
    expect(world.running()).toEqual({ web: 'app@1' })
  })

  test('before it was brought, leaves nothing', async () => {
    world.wire.bend = () => null
    await world.want(world.release('app', '1', await some('x')))
    await world.until('it is asked for', () => world.wire.asked.length > 0)
    await world.want()
    await world.until('it is gone', () => world.now().releases.reported()?.length === 0)
    await world.until('its part is gone', () => world.files().length === 0)
  })
})

describe('a device that is alone with a release that has failed', () => {
  const bad = () => some('bad', workload('web', { code: 1, seconds: 1 }))

  test('goes back to the one before after 30 s, and says so', async () => {
    await world.want(world.release('app', '1', await some('good')))
    await world.state('app', 'healthy')
    world.wire.isReached = false
    await world.want(world.release('app', '2', await bad()))
    await world.state('app', 'failed')
    await world.pass(25_000)
    expect(world.shown('app')).toMatchObject({ active: { version: '2' } })
    await world.until('it went back', () => world.shown('app')?.went_back)
    await world.until('it runs', () => world.running()['web'] === 'app@1')
    expect([world.shown('app'), contentOf('web')]).toMatchObject([
      { state: 'failed', active: { version: '1' }, wanted: { version: '2' }, reason: expect.stringContaining('twice') },
      'good',
    ])
    await world.restart()
    expect(world.shown('app')).toMatchObject({ state: 'failed', went_back: true, active: { version: '1' } })
    await world.want(world.release('app', '1', await some('good')))
    expect(world.shown('app')).toMatchObject({ state: 'healthy' })
  })

  test('goes back to nothing if there was nothing', async () => {
    world.wire.isReached = false
    await world.want(world.release('app', '1', await bad()))
    await world.until('it went back', () => world.shown('app')?.went_back)
    await world.until('nothing runs', () => Object.keys(world.running()).length === 0)
    expect([world.shown('app')?.active, world.now().workloads.statuses()]).toEqual([null, []])
  })

  test('waits while the controller can be reached, or if it is not to', async () => {
    const release = world.release('app', '1', await bad())
    await world.want(release)
    await world.state('app', 'failed')
    await world.pass(120_000)
    expect(world.shown('app')).not.toHaveProperty('went_back')
    await world.want(world.release('app', '2', await bad(), { judge: { ...release.judge, goes_back: false } }))
    world.wire.isReached = false
    await world.state('app', 'failed')
    await world.pass(120_000)
    expect(world.shown('app')).toMatchObject({ active: { version: '2' } })
  })
})

test('what was healthy is shown as unhealthy while it is not, and is not judged again', async () => {
  await world.want(
    world.release('app', '1', await some('x', workload('web', { seconds: 10, code: 1 }, { restart: { delay_seconds: 4 } }))),
  )
  await world.state('app', 'healthy')
  expect(await world.state('app', 'unhealthy')).toMatchObject({ reason: '"web" is backoff: exited with 1' })
  await world.state('app', 'healthy')
})

test('a device that nobody has said anything of releases to reports none, and has no folder for them', async () => {
  await applyLocal(workload('web'))
  await world.restart()
  expect([world.now().releases.reported(), world.files()]).toEqual([undefined, []])
})

test('start, stop and restart by hand work as for any workload', async () => {
  await world.want(world.release('app', '1', await some('x')))
  await world.state('app', 'healthy')
  void world.now().requests.stop({ workload: 'web' })
  await world.state('app', 'unhealthy')
  await world.until('it is stopped', () => world.running()['web'] === undefined)
  void world.now().requests.start({ workload: 'web' })
  await world.state('app', 'healthy')
  expect(world.running()).toEqual({ web: 'app@1' })
})
