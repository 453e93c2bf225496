import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumProgram, desk, type Opened, openPage, overflowOf, phone, startChromium, twoFrames } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import { evil, harm, long, markup, oddMetrics, oddWorkload, wild } from '../harness/hostile-texts.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { type PlayedDevice, playDevice } from '../harness/played-device.ts'

const program = chromiumProgram()

const at = Date.now()
const instant = new Date(at).toISOString()

describe.skipIf(program === undefined)('what comes from devices and people is text', () => {
  let browser: Browser
  let fleet: Installation
  let device: PlayedDevice
  let opened: Opened
  const tasks = { agent: '', ended: '', log: '' }
  beforeAll(async () => {
    browser = await startChromium(program ?? '')
    fleet = await startInstallation()
    await fleet.online('local')
    writeFileSync(join(fleet.root, 'evil'), `${evil.replaceAll(' ', '\n')}\n${wild}\n`)
    writeFileSync(
      join(fleet.root, 'evil.yaml'),
      JSON.stringify({
        name: 'cat',
        type: 'script',
        run_mode: 'n_times',
        max_runs: 1,
        command: ['cat', join(fleet.root, 'evil')],
      }),
    )
    expect((await fleet.cli(['local', 'apply', join(fleet.root, 'evil.yaml')])).code).toBe(0)
    device = await playDevice(fleet, 'odd', {
      labels: { os: 'linux', [markup]: evil, 'agent.goose': wild, '\u202e': '\u202e', wide: long },
      ...{ version: wild, capabilities: [evil, wild] },
    })
    await device.workloads([
      { ...oddWorkload(instant), name: 'odd' },
      { ...oddWorkload(instant), name: 'worse', state: wild, health: 'unhealthy' },
    ])
    const metadata = { title: evil, [markup]: wild, deep: [{ [evil]: long }] }
    tasks.log = await fleet.submit({
      ...{
        payload: {
          command: ['echo', evil.replaceAll('\u0000', ''), long],
          env: { EVIL: evil.replaceAll('\u0000', '') },
          cwd: '/tmp/<b>',
        },
      },
      ...{
        target: { device: 'odd', repository: evil, path: long.slice(0, 500) },
        metadata,
        source: 'cli',
        tags: [markup, '\u202etag', 'x'.repeat(128)],
      },
    })
    tasks.agent = await fleet.submit({
      ...{
        type: 'agent',
        payload: { prompt: evil.replaceAll('\u0000', '') + long, provider: markup, model: '\u202eledom', approve: 'tools' },
      },
      ...{ target: { device: 'odd' }, metadata: { title: wild } },
    })
    tasks.ended = await fleet.submit({ type: 'agent', payload: { prompt: 'go' }, target: { device: 'odd' } })
    await playLog(await device.order(tasks.log))
    await playEnd(await device.order(tasks.ended))
    await playAgent(await device.order(tasks.agent))
    opened = await openPage(browser, fleet.endpoints.http, '/login', { token: fleet.token })
    opened.page.on('dialog', (dialog) => opened.faults.push(`a dialog: ${dialog.message()}`))
    await device.beat({ refuses: `${evil.slice(0, 190)}`, metrics: oddMetrics })
  })
  afterAll(async () => {
    await device?.close()
    await browser?.close()
    await fleet?.close()
  })

  type Order = Awaited<ReturnType<PlayedDevice['order']>>
  const playLog = async (order: Order): Promise<void> => {
    await device.run(order, { state: 'running' })
    await device.log(order, [
      ...evil.split(' ').map((text) => [at, 'o', text] as const),
      [at, 'e', wild],
      [1e300, 's', evil],
      [-1e300, 'o', { b64: Buffer.from([0, 27, 93, 255, 254, 60, 98, 62]).toString('base64') }],
      [at, 'o', '\u001b[38;2;0;0;0;48;5;999;1;4;9m'.repeat(500)],
      [at, 'o', `\u001b]8;;javascript:globalThis.ran=1\u001b\\press here\u001b]8;;\u001b\\ ${markup}`],
    ])
    await device.run(order, { state: 'failed', reason: wild, exit_code: 1, signal: evil, log: device.logOf(order) })
    await fleet.taskWhen('its end', tasks.log, ({ state }) => state === 'failed')
  }
  const playEnd = async (order: Order): Promise<void> => {
    const result = {
      ...{ agent: markup, stop_reason: 'agent_failed', text: wild, turns: 1, tokens: 2, cost: 0.1, currency: evil },
      ...{ provider: evil, model: wild, session: markup },
      artifacts: [
        { path: `../${evil}`, size: 1e15, sha256: 'f'.repeat(64) },
        { path: long, size: -1, sha256: evil },
      ],
    }
    await device.run(order, { state: 'running' })
    await device.agent(order, [{ type: 'complete', ...result }])
    await device.run(order, { state: 'failed', reason: evil, agent: result })
    await fleet.taskWhen('its end', tasks.ended, ({ state }) => state === 'failed')
  }
  const playAgent = async (order: Order): Promise<void> => {
    const asked = { approval: `${order.run}-1`, tool: evil, title: wild, input: { [evil]: wild, list: [evil] } }
    const times = { requested_at: instant, expires_at: new Date(at + 3600_000).toISOString(), by: null, reason: null }
    await device.run(order, { state: 'running' })
    await device.agent(order, [
      { type: 'message', text: evil },
      { type: 'message', text: long },
      { type: 'thought', text: wild },
      { type: 'tool_call', id: 'c1', tool: markup, title: wild, input: { [markup]: wild } },
      { type: 'tool_output', id: 'c1', stream: 'stdout', text: wild },
      { type: 'tool_result', id: 'c1', status: markup, output: { [markup]: wild } },
      { type: 'plan', entries: [{ content: wild, status: markup }] },
      { type: 'usage', turns: 1e15, tokens: 1e15, cost: 1e300, currency: evil },
      { type: 'notification', text: wild },
      { type: 'output', stream: 'stderr', text: wild },
    ])
    await device.agent(
      order,
      [
        { type: 'said', text: wild, by: evil },
        { type: 'permission', state: 'pending', id: 'c2', ...asked, ...times },
      ],
      1e300,
    )
    await device.agent(order, [
      { type: 'strange', [markup]: wild },
      ...['message', 'tool_call', 'plan', 'permission', 'usage', 'complete'].map((type) => ({ type })),
      { type: 'permission', state: 'pending', id: 'c3', ...asked, ...times, approval: '../devices/local/drain#' },
      { type: 'notification', text: 'that was all' },
    ])
    await device.run(order, { state: 'running', approval: { state: 'pending', ...asked, ...times } })
    await eventually(
      'an approval waits',
      async () => (await fleet.answered('GET', '/approvals?state=pending')).body.approvals.length === 1,
    )
  }

  /** What is wrong with a page that shows such texts. */
  const harmOn = async (path: string, shows: string | RegExp): Promise<unknown[]> => {
    const { page, faults } = opened
    faults.length = 0
    await page.setViewportSize(desk)
    await page.goto(`${fleet.endpoints.http}${path}`)
    await page.locator('main').getByText(shows).first().waitFor()
    await page.getByLabel('Loading').first().waitFor({ state: 'detached' })
    await page.evaluate(`for (const one of document.querySelectorAll('main details:not([open]) > summary')) one.click()`)
    const found: unknown[] = []
    for (const screen of [desk, phone]) {
      await page.setViewportSize(screen)
      await twoFrames(page)
      const overflow = await overflowOf(page)
      if (overflow > 0) found.push(`${screen.width}: ${overflow} pixels wider than the screen`)
      found.push(...(await page.evaluate<string[]>(harm)))
    }
    return [...found, ...faults]
  }

  test.for([
    ['/', /takes nothing new|globalThis.ran/],
    ['/fleet', 'odd'],
    ['/fleet?q=%3Cscript%3E', 'odd'],
    ['/fleet/odd', markup],
    ['/fleet/odd?facts=odd', markup],
    ['/fleet/odd?facts=worse', markup],
    ['/tasks', 'globalThis.ran'],
    ['/approvals', 'globalThis.ran'],
    ['/fleet/local?log=cat', 'javascript:globalThis.ran=1'],
  ] as const)('%s', async ([path, shows]) => {
    expect(await harmOn(path, shows)).toEqual([])
  })

  test.for(['', '?tab=details'])('the task and its log %s', async (query) => {
    expect(await harmOn(`/tasks/${tasks.log}${query}`, query === '' ? `press here ${markup}` : 'globalThis.ran')).toEqual([])
  })
  test.for(['', '?tab=log', '?tab=details'])('the task of an agent %s', async (query) => {
    expect(await harmOn(`/tasks/${tasks.agent}${query}`, query === '' ? 'that was all' : 'globalThis.ran')).toEqual([])
  })
  test('the task of an agent that has ended', async () => {
    expect(await harmOn(`/tasks/${tasks.ended}`, '2 files left behind')).toEqual([])
  })
  test('a new task, begun from one of these', async () => {
    for (const id of [tasks.log, tasks.agent]) expect(await harmOn(`/tasks/new?from=${id}`, 'The same in a terminal')).toEqual([])
  })

  test('an approval that is named like a way to something else leads to nothing else', async () => {
    const { page } = opened
    await page.setViewportSize(desk)
    await page.goto(`${fleet.endpoints.http}/tasks/${tasks.agent}`)
    const asks = page.waitForRequest((request) => request.method() === 'POST' && request.url().includes('/api/v1/'))
    await page.locator('.approval').last().getByRole('button', { name: 'Approve' }).click()
    const url = new URL((await asks).url())
    expect([url.pathname, url.hash]).toEqual(['/api/v1/approvals/..%2Fdevices%2Flocal%2Fdrain%23/approve', ''])
    await page.locator('.approval').last().getByRole('alert').waitFor()
    expect((await fleet.answered('GET', '/devices/local')).body.drained).toBe(false)
  })

  test('names that are part of addresses carry nothing of this: they are refused', async () => {
    for (const name of [markup, '../x', '\u202ex', 'a b', long]) {
      expect((await fleet.api('POST', '/tokens', { name, role: 'viewer' })).status).toBe(400)
      expect((await fleet.api('POST', '/tasks', { payload: { command: 'true' }, target: { device: name } })).status).toBe(400)
      expect((await fleet.api('POST', '/devices/odd/labels', { set: { [name]: 'x' } })).status).toBe(400)
      expect((await fleet.api('POST', '/devices/odd/labels', { set: { x: name } })).status).toBe(400)
    }
  })
})
