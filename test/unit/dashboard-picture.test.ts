import pino from 'pino'
import { describe, expect, test } from 'vitest'
import { createPicture, type PictureChange } from '../../dashboard/server/picture/picture.ts'
import { createViews } from '../../dashboard/server/sockets/views.ts'
import { accepted, type Outcome } from '../../schemas/errors.ts'
import { topicOf } from '../../schemas/topics.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'
import { memoryBus } from './memory-bus.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const id = '01k-deployment'

describe('createPicture()', () => {
  const world = async () => {
    const time = createTime()
    const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
    const { bus } = memoryBus()
    const asked: { name: string; input: Record<string, unknown> }[] = []
    const deployment = { deployment_id: id, release: 'app@2', state: 'in_progress', reason: null, ended_at: null }
    const about = { devices: 2, counts: { pending: 2 }, expected_end_at: '1970-01-01T00:10:00Z' }
    const ask = async (name: string, input: Record<string, unknown>): Promise<Outcome<never>> => {
      asked.push({ name, input })
      const answers: Record<string, unknown> = {
        'device.list': { devices: [], cursor: null },
        'system.status': { tasks: {}, queue: { depth: 0, oldest_seconds: null } },
        'approval.list': { approvals: [] },
        'deployment.list': { deployments: String(input['state']).includes('paused') ? [{ ...deployment, ...about }] : [] },
      }
      return accepted((answers[name] ?? { tasks: [] }) as never) // what is looked at of it
    }
    const picture = createPicture({ fleet: 'default', bus, ask: ask as never, clock, log: pino({ enabled: false }) })
    const views = createViews(picture, clock)
    const changes: PictureChange[] = []
    picture.onChange((change) => changes.push(change))
    const pass = async (ms: number): Promise<void> => {
      const until = time.now() + ms
      while (time.step(until)) await settled()
      await settled()
      await settled()
    }
    void picture.wake()
    void picture.watchOverview(true)
    await pass(3000)
    changes.length = 0
    asked.length = 0
    const event = (kind: string, type: string, data: object): void =>
      bus.publish(topicOf('default', 'event', { kind }), JSON.stringify([{ type, data }]))
    const told = (view: 'deployments' | 'deployment', deployment_id = id): number =>
      changes.filter((change) =>
        views.changed(view === 'deployment' ? { view, deployment_id: deployment_id as never } : { view }, change),
      ).length // an id of a deployment
    return { picture, bus, changes, asked, pass, event, told }
  }

  test('tells of a deployment whose devices get further, four times a second at most, and of no other', async () => {
    const { picture, pass, event, told, asked } = await world()
    expect(picture.overview().deployments).toEqual([
      {
        deployment_id: id,
        release: 'app@2',
        state: 'in_progress',
        reason: null,
        devices: 2,
        counts: { pending: 2 },
        expected_end_at: 600_000,
      },
    ])
    for (let i = 0; i < 100; i++) {
      event('deployment', 'skein.deployment.device', { deployment_id: id, device: `d${i}`, state: 'healthy' })
      await pass(10)
    }
    expect(told('deployment')).toBeGreaterThan(2)
    expect(told('deployment')).toBeLessThan(6)
    expect(told('deployments')).toBe(told('deployment'))
    expect(told('deployment', 'another')).toBe(0)
    await pass(1000)
    expect(asked.filter(({ name }) => name === 'deployment.list').length).toBeLessThan(4)
  })

  test('tells of a new release, and asks for those that ended badly when one did', async () => {
    const { pass, event, told, asked } = await world()
    event('audit', 'skein.audit.release_created', { subject: 'ann' })
    event('audit', 'skein.audit.token_created', { subject: 'ann' })
    await pass(300)
    expect([told('deployments'), told('deployment')]).toEqual([1, 0])
    event('deployment', 'skein.deployment.rolled_back', { deployment_id: id, state: 'rolled_back' })
    await pass(2500)
    expect(asked.filter(({ input }) => String(input['state']) === 'failed,rolled_back').length).toBe(1)
  })

  test('tells how far a device is with its release, once for each word that is new', async () => {
    const { picture, bus, pass, told } = await world()
    const at = '2026-05-01T12:00:00Z'
    const device = { device: 'd1', state: 'online', reason: null, labels: {}, capacity: 1, running: 0, drained: false }
    picture.devices.put({ ...device, version: null, last_seen_at: at, joined_at: at, metrics: null } as never, 0, 0) // a device
    const report = (seq: number, bytes: number): void =>
      bus.publish(
        topicOf('default', 'deviceReported', { device: 'd1' }),
        JSON.stringify({
          ...{ journal: 'j', seq, at, revision: 1, workloads: [] },
          releases: [
            {
              ...{ name: 'app', active: null, state: 'downloading', reason: null, since: at, progress: { bytes, total: 100 } },
              wanted: { version: '2', digest: 'f'.repeat(64), deployment: `${id}-back` },
            },
          ],
        }),
      )
    report(1, 10)
    await pass(300)
    expect([told('deployment'), told('deployments')]).toEqual([1, 0])
    report(2, 10)
    await pass(300)
    expect(told('deployment')).toBe(1)
    report(3, 20)
    await pass(300)
    expect(told('deployment')).toBe(2)
    expect(picture.devices.device('d1', 0, 0).reported?.releases).toHaveLength(1)
  })
})
