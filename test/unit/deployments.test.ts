import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Desired } from '../../schemas/desired.ts'
import { Jws } from '../../schemas/keys.ts'
import { topicOf } from '../../schemas/topics.ts'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'

let desk: Desk
beforeEach(async () => {
  desk = await startDesk()
})
afterEach(() => desk.close())

const sha = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A release as if its bundle had been brought. */
const release = (version: string, workloads: readonly string[] = ['app'], name = 'app'): string => {
  desk.store.releases.put({
    ...{ name, version, digest: sha(`${name}${version}`), workloads: JSON.stringify(workloads), files: 1 },
    bundle: JSON.stringify({ sha256: sha(`bundle ${name}${version}`), size: 10, unpacked_bytes: 10 }),
    ...{ created_at: 0, created_by: 'admin' },
  })
  return `${name}@${version}`
}
const deploy = (more: Record<string, unknown>) => desk.ask('deployment.create', { target: { selector: '' }, ...more })
const idOf = async (more: Record<string, unknown>): Promise<string> => String(outputOf(await deploy(more))['deployment_id'])
const get = async (id: string) => outputOf(await desk.ask('deployment.get', { deployment_id: id }))
// biome-ignore lint/suspicious/noExplicitAny: what a test looks into
const statesOf = async (id: string) => ((await get(id))['device_list'] as any[]).map(({ device, state }) => `${device} ${state}`)

/** What a device was told last to run. */
const toldTo = (device: string): Desired => {
  const topic = topicOf('default', 'deviceDesired', { device })
  const { text } = desk.wire.sent.filter((one) => one.topic === topic).at(-1) ?? { text: '{}' }
  return Desired.parse(JSON.parse(Buffer.from(Jws.parse(JSON.parse(text)).payload, 'base64url').toString()))
}
let seq = 0
/** A device does what it was told, and says how that went. */
const obey = async (device: string, state = 'healthy', reason: string | null = null): Promise<void> => {
  const { revision, releases } = toldTo(device)
  const told = releases.map(({ name, version, digest, deployment }) => ({
    ...{ name, active: { version, digest }, wanted: { version, digest, deployment }, state, reason },
    since: new Date(desk.clock.now()).toISOString(),
  }))
  await desk.reportWorkloads(device, ++seq, [], { revision, releases: told })
  await desk.advance(2000)
}

describe('deployments', () => {
  test('what a device is told rises by one with each change, and names what it had before when that comes back', async () => {
    await desk.hello('d1')
    release('1')
    release('2')
    const first = await idOf({ release: 'app@1' })
    await desk.advance(200)
    expect(toldTo('d1')).toMatchObject({ revision: 1, releases: [{ version: '1', deployment: first }] })
    await obey('d1')
    expect(await get(first)).toMatchObject({ state: 'completed', counts: { healthy: 1 } })
    const second = await idOf({ release: 'app@2' })
    await desk.advance(200)
    expect(toldTo('d1')).toMatchObject({ revision: 2, releases: [{ version: '2' }] })
    await obey('d1', 'failed', 'it exits')
    expect(toldTo('d1')).toMatchObject({
      revision: 3,
      releases: [{ version: '1', deployment: `${second}-back-3`, judge: { goes_back: false } }],
    })
    expect(await get(second)).toMatchObject({ state: 'rolling_back' })
    await obey('d1')
    expect(await get(second)).toMatchObject({ state: 'rolled_back', device_list: [{ state: 'rolled_back', previous: '1' }] })
  })

  test('what it had half done is not what it goes back to', async () => {
    await desk.hello('d1')
    for (const version of ['1', '2', '3']) release(version)
    await idOf({ release: 'app@1' })
    await desk.advance(200)
    await obey('d1')
    await idOf({ release: 'app@2' })
    await desk.advance(200)
    await obey('d1', 'settling')
    const third = await idOf({ release: 'app@3' })
    await desk.advance(2000)
    await obey('d1', 'failed')
    await obey('d1')
    expect(await get(third)).toMatchObject({ state: 'rolled_back', device_list: [{ previous: '1' }] })
    expect(toldTo('d1').releases).toMatchObject([{ version: '1' }])
  })

  test('one that a newer one has given the device back to can be rolled back itself', async () => {
    await desk.hello('d1')
    release('1')
    release('2')
    const first = await idOf({ release: 'app@1' })
    await desk.advance(200)
    await obey('d1')
    await idOf({ release: 'app@2' })
    await desk.advance(200)
    await obey('d1', 'failed')
    await obey('d1')
    outputOf(await desk.ask('deployment.rollback', { deployment_id: first }))
    await desk.advance(2000)
    expect(toldTo('d1').releases).toEqual([])
    await obey('d1')
    expect(await get(first)).toMatchObject({ state: 'rolled_back' })
  })

  test('the same key is the same deployment; another body under it is refused', async () => {
    await desk.hello('d1')
    release('1')
    const id = await idOf({ release: 'app@1', idempotency_key: 'k' })
    expect(outputOf(await deploy({ release: 'app@1', idempotency_key: 'k' }))).toMatchObject({
      deployment_id: id,
      duplicate: true,
    })
    expect(codeOf(await deploy({ release: 'app@1', batch: 2, idempotency_key: 'k' }))).toBe('conflict')
    expect(outputOf(await desk.ask('deployment.list', {}))['deployments']).toHaveLength(1)
  })

  test('a dry run says who would get it and why others would not, and stores nothing', async () => {
    for (const name of ['d1', 'd2']) await desk.hello(name)
    release('1')
    const plan = outputOf(await deploy({ release: 'app@1', target: { devices: ['d2'] }, dry_run: true }))
    expect(plan).toMatchObject({
      would: [{ device: 'd2', batch: 1 }],
      others: [{ device: 'd1', why: 'it is not named' }],
      other_count: 1,
    })
    expect(outputOf(await desk.ask('deployment.list', {}))['deployments']).toEqual([])
    expect(desk.store.desired.revision('d2')).toBe(0)
    await idOf({ release: 'app@1', target: { devices: ['d1'] } })
    await desk.advance(200)
    await obey('d1')
    const again = outputOf(await deploy({ release: 'app@1', dry_run: true }))['would']
    expect(again).toEqual(
      expect.arrayContaining([expect.objectContaining({ device: 'd1', batch: null, why: expect.any(String) })]),
    )
  })

  test('a newer one takes over the devices that they share, and no others', async () => {
    for (const name of ['d1', 'd2']) await desk.hello(name)
    release('1')
    release('2')
    const first = await idOf({ release: 'app@1' })
    await desk.advance(200)
    await idOf({ release: 'app@2', target: { devices: ['d1'] } })
    await desk.advance(2000)
    expect(toldTo('d1').releases).toMatchObject([{ version: '2' }])
    await obey('d1')
    expect(await statesOf(first)).toEqual(['d1 superseded', 'd2 deploying'])
    await obey('d2')
    expect(await get(first)).toMatchObject({ state: 'completed' })
  })

  test('a name that is taken on a device fails there before anything is told', async () => {
    await desk.hello('d1')
    release('1')
    release('1', ['app'], 'other')
    await idOf({ release: 'app@1' })
    await desk.advance(200)
    await obey('d1')
    const id = await idOf({ release: 'other@1', auto_rollback: false })
    await desk.advance(200)
    expect(await get(id)).toMatchObject({
      state: 'failed',
      device_list: [{ reason: expect.stringContaining('"app" belongs to app@1') }],
    })
    expect(toldTo('d1')).toMatchObject({ revision: 1 })
  })

  test('a device that has seen more than a restored database knows is told anew, above that', async () => {
    await desk.hello('d1')
    release('1')
    await idOf({ release: 'app@1' })
    await desk.advance(200)
    expect(toldTo('d1').revision).toBe(1)
    await desk.hello('d1', { revision: 41, session: 2 })
    await desk.advance(200)
    expect(toldTo('d1')).toMatchObject({ revision: 42, releases: [{ version: '1' }] })
  })

  test('a device that has missed what it was told is told again when it says hello', async () => {
    await desk.hello('d1')
    release('1')
    await idOf({ release: 'app@1' })
    await desk.advance(200)
    const count = () =>
      desk.wire.sent.filter(({ topic }) => topic === topicOf('default', 'deviceDesired', { device: 'd1' })).length
    const before = count()
    await desk.hello('d1', { revision: 0, session: 2 })
    await desk.advance(200)
    expect(count()).toBe(before + 1)
    await desk.hello('d1', { revision: 1, session: 3 })
    await desk.advance(200)
    expect(count()).toBe(before + 1)
  })

  test('what is in use or may be gone back to is kept, the rest goes by rule', async () => {
    await desk.hello('d1')
    for (const version of ['1', '2', '3', '4']) release(version)
    for (const version of ['2', '3']) {
      await idOf({ release: `app@${version}` })
      await desk.advance(200)
      await obey('d1')
    }
    expect(codeOf(await desk.ask('release.delete', { name: 'app', version: '2' }))).toBe('conflict')
    expect(outputOf(await desk.ask('release.prune', { keep: 1 }))).toMatchObject({ removed: ['app@1'] })
    expect(codeOf(await desk.ask('release.delete', { name: 'app', version: '4' }))).toBe('ok')
  })

  test('a release that no device could ever be found healthy with is refused', async () => {
    await desk.hello('d1')
    release('1')
    const outcome = await deploy({ release: 'app@1', min_healthy_seconds: 60, health_timeout_seconds: 60 })
    expect(outcome).toMatchObject({ ok: false, error: { code: 'invalid', details: [{ field: 'health_timeout_seconds' }] } })
  })

  test('a controller that was away counts the time in which nobody listened against no device', async () => {
    await desk.hello('d1')
    release('1')
    const id = await idOf({ release: 'app@1', progress_deadline_seconds: 60 })
    await desk.advance(40_000)
    await desk.close()
    desk = await startDesk({ store: desk.store, time: desk.time, wire: desk.wire })
    await desk.advance(1000)
    await desk.hello('d1', { session: 2, revision: 1 })
    for (let i = 0; i < 5; i++) {
      await desk.advance(10_000)
      await desk.beat('d1')
    }
    expect(await get(id)).toMatchObject({ state: 'in_progress', counts: { deploying: 1 } })
    await obey('d1')
    expect(await get(id)).toMatchObject({ state: 'completed' })
  })

  test('orders that do not fit how it stands are refused with the reason', async () => {
    await desk.hello('d1')
    release('1')
    const id = await idOf({ release: 'app@1' })
    await desk.advance(200)
    expect(codeOf(await desk.ask('deployment.pause', { deployment_id: id }))).toBe('ok')
    expect(codeOf(await desk.ask('deployment.cancel', { deployment_id: id }))).toBe('ok')
    expect(codeOf(await desk.ask('deployment.pause', { deployment_id: id }))).toBe('conflict')
    expect(codeOf(await desk.ask('deployment.resume', { deployment_id: id }))).toBe('conflict')
    expect(codeOf(await desk.ask('deployment.pause', { deployment_id: 'nothing' }))).toBe('not_found')
    expect(codeOf(await desk.ask('deployment.pause', { deployment_id: id }, 'viewer'))).toBe('forbidden')
  })
})
