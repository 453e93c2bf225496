import { describe, expect, test } from 'vitest'
import type { Client } from '../../controller/cli/client.ts'
import { previewTask } from '../../controller/cli/preview.ts'
import { readLane } from '../../controller/core/lanes.ts'
import { type PreviewedDevice, previewOf } from '../../controller/core/preview.ts'
import { type Outcome, refused } from '../../schemas/errors.ts'
import { operations } from '../../schemas/operations.ts'
import { maxOutputBytes } from '../../schemas/request.ts'
import { topicOf } from '../../schemas/topics.ts'
import { recordingIo } from './cli-io.ts'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'

const device = (name: string, more: Partial<PreviewedDevice> = {}): PreviewedDevice => ({
  ...{ name, labels: { role: 'builder' }, state: 'online', isReady: true, drained: false, refuses: null, free: 1 },
  ...more,
})
const preview = (lane: string, devices: readonly PreviewedDevice[], isFanout = false, needs?: string) =>
  previewOf({ lane: readLane(lane), isFanout, needs }, devices, { noMatch: 'no match', mostBytes: maxOutputBytes })
const away = { isReady: false, free: 0, state: 'offline' } as const

describe('previewOf()', () => {
  test.each([
    ['*', [device('a')], 'Runs on a at once'],
    ['*', [device('a'), device('b'), device('c', away)], 'Runs on one of 2 devices at once'],
    ['*', [device('a', { free: 0 }), device('b', { free: -1 })], 'Waits: busy: a, b'],
    ['*', [], 'Waits: no device has joined yet'],
    ['=x', [device('a')], 'Waits: no device named "x" has joined'],
    ['=a', [device('a', { drained: true })], 'Waits: drained: a'],
    ['=a', [device('a', { refuses: 'disk_full', free: 0 })], 'Waits: takes nothing new: a (disk_full)'],
    ['?role=web', [device('a')], 'Waits: no device matches the selector role=web (1 known)'],
  ] as const)('for one device: %s: %#: %s', (lane, devices, says) => {
    expect(preview(lane, devices)).toMatchObject({ says, acceptable: true })
  })

  test.each([
    [[device('a'), device('b')], 'Runs on 2 devices at once'],
    [[device('a')], 'Runs on a at once'],
    [[device('a', away)], 'Waits: not connected: a'],
    [[device('a'), device('b'), device('c', away), device('d', away)], 'Runs on 4 devices; 2 of them get it when they are back'],
    [[device('a', away), device('b', away)], 'Runs on 2 devices; all of them get it when they are back'],
    [
      [device('a', { free: 0 }), device('b', away), device('c', { refuses: 'x', free: 0 }), device('d')],
      'Runs on 4 devices; 1 of them gets it when it has room, 1 when it takes work again, 1 when it is back',
    ],
  ] as const)('for all devices: %#: %s', (devices, says) => {
    expect(preview('?role=builder', devices, true)).toMatchObject({ says, acceptable: true, matching_count: devices.length })
  })

  test('for all devices the drained ones are left out, and with nobody left it is not acceptable', () => {
    const devices = [device('a', { drained: true }), device('b', { labels: {} })]
    expect(preview('?role', devices, true)).toEqual({
      ...{ says: 'no match', acceptable: false, matching_count: 0, matching: [], other_count: 2 },
      others: [
        { device: 'a', why: 'drained: a task for all devices leaves it out' },
        { device: 'b', why: 'role: it has no role' },
      ],
    })
    // One that is named is not left out: the task waits for it.
    expect(preview('=a', devices, true)).toMatchObject({ acceptable: true, says: 'Waits: drained: a' })
  })

  test.each([
    ['role=web', 'role=web: it has role=builder'],
    ['os', 'os: it has no os'],
    ['os=linux', 'os=linux: it has no os'],
    ['!role', '!role: it has role=builder'],
    ['role!=builder', 'role!=builder: it has role=builder'],
    ['role in (a,b)', 'role in (a,b): it has role=builder'],
    ['role notin (x, builder)', 'role notin (x,builder): it has role=builder'],
    ['role,os=linux,region=eu', 'os=linux: it has no os (and 1 more)'],
    ['constructor', 'constructor: it has no constructor'],
  ])('names what of the selector is not met: %s', (selector, why) => {
    expect(preview(`?${selector}`, [device('a')]).others).toEqual([{ device: 'a', why }])
  })

  test('names those first that take it at once, then those that have it soonest', () => {
    const devices = [
      ...[device('f', { drained: true }), device('e', away), device('d', { refuses: 'full', free: 0 })],
      ...[device('c', { free: 0 }), device('b', { free: 3 }), device('a')],
    ]
    expect(preview('*', devices).matching).toEqual([
      { device: 'a', state: 'online', free: 1, waits: null },
      { device: 'b', state: 'online', free: 3, waits: null },
      { device: 'c', state: 'online', free: 0, waits: 'busy' },
      { device: 'd', state: 'online', free: 0, waits: 'takes nothing new: full' },
      { device: 'e', state: 'offline', free: 0, waits: 'not connected' },
      { device: 'f', state: 'online', free: 1, waits: 'drained' },
    ])
  })

  test('a device that is named and has not the agent would refuse it', () => {
    const answer = preview('=a', [device('a'), device('b')], false, 'agent.goose')
    expect(answer).toMatchObject({ says: 'a would refuse it: it has no agent.goose', acceptable: true, matching_count: 0 })
    expect(answer.others[0]).toEqual({ device: 'a', why: 'agent.goose: it has no agent.goose' })
    const able = device('a', { labels: { 'agent.goose': '1' } })
    expect(preview('=a', [able], false, 'agent.goose').says).toBe('Runs on a at once')
  })

  test('fits in a message with 5,000 devices of the longest names, whatever they say', () => {
    const name = (i: number) => `d${i}`.padEnd(63, 'x')
    const values = Array.from({ length: 15 }, (_, i) => `${i}`.padEnd(63, 'v')).join(',')
    const fleet = Array.from({ length: 5000 }, (_, i) =>
      device(name(i), i % 2 ? { refuses: '€\u0000'.repeat(100), free: 0 } : { labels: { k: 'l'.repeat(63) } }),
    )
    for (const lane of [`?k in (${values})`, `?k notin (${values})`, '*', `=${name(7)}`])
      for (const isFanout of [true, false]) {
        const startedAt = performance.now()
        const answer = preview(lane, fleet, isFanout)
        expect(performance.now() - startedAt).toBeLessThan(500)
        expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(maxOutputBytes + 1024)
        expect(answer.matching_count + answer.other_count).toBe(5000)
        expect(answer.matching.length).toBeLessThanOrEqual(200)
        expect(answer.others.length).toBeLessThanOrEqual(200)
      }
  })
})

describe('task.preview', () => {
  const task = { payload: { command: ['true'] } }
  const stored = (desk: Desk) =>
    ['task', 'queue', 'run'].map((table) => desk.store.db.prepare(`select count(*) as n from ${table}`).pluck().get())

  test('tells what submitting would come to, and keeps nothing', async () => {
    const desk = await startDesk()
    await desk.hello('d1', { capacity: 1, labels: { role: 'builder' } })
    await desk.hello('d2', { labels: { role: 'web' } })
    const ask = async (more: object) => outputOf(await desk.ask('task.preview', { ...task, ...more }, 'olga'))
    const first = await ask({ target: { selector: 'role=builder' }, idempotency_key: 'k' })
    expect(operations['task.preview'].output.parse(first)).toEqual({
      ...{ says: 'Runs on d1 at once', acceptable: true, matching_count: 1, other_count: 1 },
      matching: [{ device: 'd1', state: 'online', free: 1, waits: null }],
      others: [{ device: 'd2', why: 'role=builder: it has role=web' }],
    })
    expect(stored(desk)).toEqual([0, 0, 0])
    await desk.submit({ target: { device: 'd1' } })
    expect(await ask({ target: { selector: 'role=builder' } })).toMatchObject({ says: 'Waits: busy: d1' })
    expect(await ask({ target: { fanout: 'all' } })).toMatchObject({
      says: 'Runs on 2 devices; 1 of them gets it when it has room',
    })
    await desk.ask('device.drain', { device: 'd2' })
    expect(await ask({ target: { selector: '!drained' } })).toMatchObject({
      others: [{ device: 'd2', why: '!drained: it has drained=true' }],
    })
    await desk.say(topicOf('default', 'deviceState', { device: 'd1' }), {
      state: 'offline',
      session: 1,
      at: '2026-01-01T00:00:00Z',
    })
    expect(await ask({ target: { device: 'd1' } })).toMatchObject({
      says: 'Waits: not connected: d1',
      matching: [{ device: 'd1', state: 'offline', free: 0, waits: 'not connected' }],
      others: [{ device: 'd2', why: 'the task names d1' }],
    })
    expect(stored(desk)).toEqual([1, 0, 1])
  })

  test('refuses what task.submit refuses, in the same words', async () => {
    const desk = await startDesk()
    for (const wrong of [
      {},
      { payload: {} },
      { payload: { comand: 'x' } },
      { ...task, target: { selector: 'a==b==c' } },
      { ...task, target: { device: 'a', selector: 'b' } },
      { ...task, options: { timeout: 1, timeout_seconds: 2 } },
      { ...task, metadata: { text: 'x'.repeat(70_000) } },
      { ...task, __proto__: null, constructor: 1 },
    ]) {
      const [previewed, submitted] = [await desk.ask('task.preview', wrong), await desk.ask('task.submit', wrong)]
      expect(previewed.ok).toBe(false)
      expect(previewed).toEqual(submitted)
    }
    const audits = desk.wire.sent.filter((one) => one.topic.endsWith('/event/audit')).map((one) => one.text)
    expect(audits.some((text) => text.includes('task.submit'))).toBe(true)
    // Somebody who still writes is no news.
    expect(audits.some((text) => text.includes('task.preview'))).toBe(false)
    const forNobody = { ...task, target: { selector: 'role=none', fanout: 'all' } }
    const submitted = await desk.ask('task.submit', forNobody)
    expect(outputOf(await desk.ask('task.preview', forNobody))).toMatchObject({
      acceptable: false,
      says: submitted.ok ? '' : submitted.error.message,
    })
    expect(codeOf(await desk.ask('task.preview', task, 'victor'))).toBe('forbidden')
  })

  test('an agent wants a device that has it', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.hello('d2', { labels: { 'agent.goose': '1.0' } })
    const ask = async (target: object) => outputOf(await desk.ask('task.preview', { payload: { prompt: 'x' }, target }))
    expect(await ask({})).toMatchObject({
      says: 'Runs on d2 at once',
      others: [{ device: 'd1', why: 'agent.goose: it has no agent.goose' }],
    })
    expect(await ask({ device: 'd1' })).toMatchObject({ says: 'd1 would refuse it: it has no agent.goose' })
  })
})

describe('previewTask()', () => {
  const told = async (outcome: Outcome<unknown>, json = false) => {
    const { io, written } = recordingIo()
    const client = { ask: async () => outcome } as unknown as Client // of which only this is used
    return { exitCode: await previewTask(io, client, { json }, {}), ...written }
  }
  const output = preview('?role=builder', [device('a'), device('b', away), device('c', { labels: {} })])

  test('prints who would take it, and exits 0, or 3 if it would be refused', async () => {
    expect(await told({ ok: true, output })).toEqual({
      exitCode: 0,
      err: '',
      out: `Runs on a at once

DEVICE  STATE    FREE  WAITS
a       online   1     -
b       offline  0     not connected

NOT ON  BECAUSE
c       role=builder: it has no role
`,
    })
    expect(await told({ ok: true, output: { ...output, matching: [], others: [], acceptable: false } })).toEqual({
      ...{ exitCode: 3, err: '' },
      out: 'Runs on a at once\nand 2 more\nand 1 more\n',
    })
    expect(JSON.parse((await told({ ok: true, output }, true)).out)).toEqual(output)
    await expect(told(refused('invalid', 'no'))).rejects.toMatchObject({ exitCode: 3 })
  })
})
