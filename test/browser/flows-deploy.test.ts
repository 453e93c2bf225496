import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BrowserWorld, startBrowserWorld } from '../harness/browser-world.ts'
import { deploymentIs, fails, goesOn, makeRelease, rollOut } from '../harness/busy-fleet.ts'
import { chromiumProgram, desk, overflowOf, phone, tabTo, twoFrames } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import { harm, markup, wild } from '../harness/hostile-texts.ts'
import type { Installation } from '../harness/installation.ts'

const program = chromiumProgram()
const devices = ['local-1', 'local-2', 'local-3'] as const

describe.skipIf(program === undefined)('deployments, in a browser', () => {
  let world: BrowserWorld
  let fleet: Installation
  let page: Page
  beforeAll(async () => {
    world = await startBrowserWorld(program ?? '', { devices: 3 }, async (installed) => {
      for (const name of devices) await installed.online(name)
    })
    ;({ fleet, page } = world)
  })
  afterAll(() => world?.close())

  const go = (path: string) => world.go(path)
  const press = (name: string | RegExp) => world.press(name)
  const field = (name: string) => page.getByRole('textbox', { name, exact: true })
  const says = (text: string | RegExp) => page.locator('main').getByText(text).first().waitFor()
  const head = (text: string) => page.locator('.page-head').getByText(text, { exact: true }).waitFor()
  const dialog = () => page.getByRole('dialog')
  const shownId = () => page.url().split('/').at(-1)?.split('?')[0] ?? ''
  const count = async (): Promise<number> => (await fleet.answered('GET', '/deployments?limit=100')).body.deployments.length
  const versionOn = async (device: string): Promise<string | undefined> =>
    (await fleet.answered('GET', `/devices/${device}/plan`)).body.releases[0]?.reported?.active?.version

  /** Goes to another page by two keys, which have to follow each other closely: on a busy machine they may not. */
  const goByKeys = async (key: string, heading: string): Promise<void> => {
    await eventually(`the page "${heading}"`, async () => {
      await page.keyboard.press('g')
      await page.keyboard.press(key)
      return page
        .getByRole('heading', { level: 1, name: heading })
        .waitFor({ timeout: 2000 })
        .then(() => true)
    })
  }
  /** All three run app@1.0.0, and there is app@1.1.0. */
  const settled = async (): Promise<void> => {
    await makeRelease(fleet, 'app', '1.0.0', goesOn)
    await makeRelease(fleet, 'app', '1.1.0', `sleep 0; ${goesOn}`)
    if ((await Promise.all(devices.map(versionOn))).every((version) => version === '1.0.0')) return
    await deploymentIs(fleet, await rollOut(fleet, 'app@1.0.0', { batch: 3 }), 'completed')
  }

  test('by keys alone: from nothing to a release on three devices, watched to its end', async () => {
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await goByKeys('d', 'Deployments')
    await says('Nothing has been rolled out yet')
    await goByKeys('r', 'Releases')
    await says('skein release create ./app --name sensors --version 1.0.0')
    // It is there as soon as it is made, without a look for it.
    await makeRelease(fleet, 'app', '1.0.0', goesOn)
    await tabTo(page, 'link', 'Roll out app@1.0.0')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'New deployment' }).waitFor()
    expect(await page.getByRole('combobox', { name: 'Release' }).inputValue()).toBe('app@1.0.0')
    await says('3 devices get it, in 3 batches')
    await tabTo(page, 'textbox', 'Canary')
    await page.keyboard.press('Control+A')
    await page.keyboard.type('1')
    await says('3 devices get it, in 3 batches, 1 of them first')
    await tabTo(page, 'textbox', 'Healthy after')
    await page.keyboard.press('Control+A')
    await page.keyboard.type('0.5')
    expect(await page.locator('.command code').textContent()).toBe(
      'skein deploy app@1.0.0 --all --canary 1 --min-healthy 0.5s --watch',
    )
    // Twice in the same moment is one.
    await page.keyboard.press('Control+Enter')
    await page.keyboard.press('Control+Enter')
    await page.getByRole('heading', { name: 'app@1.0.0' }).waitFor()
    await deploymentIs(fleet, shownId(), 'completed', 3)
    await head('completed')
    await says('3 of 3 devices healthy')
    expect(await page.getByRole('rowgroup').getByText('healthy', { exact: true }).count()).toBe(3)
    await says('Canary')
    expect(await count()).toBe(1)
    for (const name of devices) expect(await versionOn(name)).toBe('1.0.0')
    await page.keyboard.press('g')
    await page.keyboard.press('d')
    await page
      .getByRole('row', { name: /app@1\.0\.0/ })
      .getByText('completed')
      .waitFor()
  })

  test('what the controller would refuse is told at its field, and who would not get it and why', async () => {
    await settled()
    await go('/deployments/new')
    await press('Roll out')
    await says('Choose what is rolled out')
    await page.getByRole('combobox', { name: 'Release' }).selectOption('app@1.1.0')
    const fault = (name: string) => page.locator('.field', { has: field(name) }).locator('.field-error')
    await field('Devices at a time').fill('some')
    await fault('Devices at a time').getByText('neither a number of devices').waitFor()
    await says('That shows when what is marked is right')
    await field('Devices at a time').fill('50%')
    await field('Canary').fill('-1')
    await fault('Canary').waitFor()
    await field('Canary').fill('0')
    await press('By labels')
    await field('Selector').fill('role=a,,')
    await fault('Selector').waitFor()
    await field('Selector').fill('role=nobody')
    await says('no device matches the target')
    await press('By name')
    await field('Devices').fill('local-1, nobody')
    await fault('Devices').getByText('nobody').waitFor()
    await field('Devices').fill('local-1')
    await says('1 device gets it at once')
    await page.getByText('2 other devices do not').click()
    await says('it is not named')
    await page.getByLabel('Add one of the fleet').fill('local-3')
    await page.keyboard.press('Enter')
    expect(await field('Devices').inputValue()).toBe('local-1 local-3')
    await says('2 devices get it, in 2 batches')
    await page.getByRole('combobox', { name: 'Release' }).selectOption('app@1.0.0')
    await says('No device gets it')
    await page.getByText('3 devices do not').waitFor()
    await says('runs this release already')
    expect(page.url()).toContain('/deployments/new')
  })

  test('one that fails rolls back before one’s eyes; the overview, the device and the release tell of it', async () => {
    await settled()
    await makeRelease(fleet, 'app', '2.0.0', fails)
    await go('/deployments/new?release=app@2.0.0')
    await field('Healthy after').fill('1s')
    await field('Devices at a time').fill('2')
    await press('Roll out')
    await head('rolled back')
    const id = shownId()
    await says(/failed/)
    const before: { device: string }[] = (await fleet.answered('GET', `/deployments/${id}`)).body.device_list
    const row = (device: string) => page.getByRole('row', { name: new RegExp(`^${device} `) })
    for (const { device, state } of before as { device: string; state: string }[])
      await row(device).getByText(state.replace('_', ' '), { exact: true }).waitFor()
    for (const name of devices) expect(await versionOn(name)).toBe('1.0.0')
    await go('/')
    await page.getByRole('link', { name: /app@2\.0\.0 was rolled back/ }).click()
    await head('rolled back')
    const gone = before.find(({ device }) => device === 'local-1')?.device ?? 'local-1'
    await go(`/fleet/${gone}`)
    const card = page.locator('section.card', { has: page.getByRole('heading', { name: 'Releases' }) })
    await card.getByText('as it is to be', { exact: true }).waitFor()
    await card.getByRole('row', { name: /^app 1\.0\.0 1\.0\.0 healthy/ }).waitFor()
    await card.getByRole('link', { name: 'app@2.0.0' }).waitFor()
    await go('/releases')
    await page
      .getByRole('row', { name: /app@1\.0\.0/ })
      .getByRole('button', { name: 'Delete app@1.0.0' })
      .click()
    await dialog().getByRole('button', { name: 'Delete', exact: true }).click()
    await dialog().getByRole('alert').getByText('is needed').waitFor()
    await page.keyboard.press('Escape')
  })

  test('paused, resumed, cancelled and rolled back: each says before what it will do', async () => {
    await settled()
    const id = await rollOut(fleet, 'app@1.1.0', { pause_seconds: 3 })
    await go(`/deployments/${id}`)
    await says('1 of 3 devices healthy')
    await press('Pause')
    await dialog().getByText('No further one begins until somebody resumes.').waitFor()
    await dialog().getByRole('button', { name: 'Pause', exact: true }).click()
    await head('paused')
    await says('paused by admin')
    await go('/')
    await page.getByRole('link', { name: /Deployment of app@1\.1\.0 is paused/ }).waitFor()
    await page.getByRole('link', { name: /app@1\.1\.0 paused/ }).click()
    await press('Resume')
    await dialog()
      .getByText(/It goes on as before: \d device/)
      .waitFor()
    await dialog().getByRole('button', { name: 'Resume', exact: true }).click()
    await head('in progress')
    await says('2 of 3 devices healthy')
    await press('Cancel')
    await dialog().getByText('1 device that waits does not get the release.').waitFor()
    await dialog().getByText('Devices that have the release keep it.').waitFor()
    await dialog().getByRole('button', { name: 'Is rolled back' }).click()
    await dialog().getByText('2 devices go back to the version that they had before.').waitFor()
    await dialog().getByRole('button', { name: 'Stays as it is' }).click()
    await dialog().getByRole('button', { name: 'Cancel the deployment' }).click()
    await head('cancelled')
    expect((await Promise.all(devices.map(versionOn))).sort()).toEqual(['1.0.0', '1.1.0', '1.1.0'])
    await press('Roll back')
    await dialog().getByText('2 devices go back to the version that they had before.').waitFor()
    await dialog().getByRole('button', { name: 'Roll back', exact: true }).click()
    await head('rolled back')
    for (const name of devices) expect(await versionOn(name)).toBe('1.0.0')
    expect(await page.getByRole('button', { name: 'Roll back' }).count()).toBe(0)
    const [first = '', ...rest] = await page.locator('.timeline strong').allTextContents()
    expect([first, rest.includes('paused'), rest.includes('cancelled'), rest.at(-1)]).toEqual([
      'pending',
      true,
      true,
      'rolled back',
    ])
  })

  test('a page that is open shows within a second what becomes of a device', async () => {
    await settled()
    const id = await rollOut(fleet, 'app@1.1.0', { pause_seconds: 1 })
    await go(`/deployments/${id}`)
    await page.getByRole('heading', { name: 'app@1.1.0' }).waitFor()
    await page.evaluate(`globalThis.seen = []; new MutationObserver(() => {
      const healthy = document.querySelectorAll('.device-state .tone-good').length
      if (globalThis.seen.at(-1)?.healthy !== healthy) globalThis.seen.push({ healthy, at: Date.now() })
    }).observe(document.body, { subtree: true, childList: true, characterData: true })`)
    await head('completed')
    const { body } = await fleet.answered('GET', `/deployments/${id}`)
    const ended: number[] = body.device_list.map((one: { ended_at: string }) => Date.parse(one.ended_at)).sort()
    await eventually('all of them', () => page.evaluate<boolean>('globalThis.seen.at(-1)?.healthy === 3'))
    const seen = await page.evaluate<{ healthy: number; at: number }[]>('globalThis.seen')
    for (const [index, at] of ended.entries()) {
      const first = seen.find(({ healthy }) => healthy > index)
      expect((first?.at ?? Number.POSITIVE_INFINITY) - at, `the device that was healthy as number ${index + 1}`).toBeLessThan(
        1500,
      )
    }
  })

  test('a viewer sees all of it, and nothing to press', async () => {
    await settled()
    const { stdout } = await fleet.cli(['token', 'create', '--name', 'vera', '--role', 'viewer'])
    const other = await world.open('/deployments', stdout.trim().split('\n').at(-1) ?? '')
    const shows = async (path: string, text: string) => {
      await other.page.goto(`${fleet.endpoints.http}${path}`)
      await other.page.locator('main').getByText(text).first().waitFor()
      await other.page.getByLabel('Loading').first().waitFor({ state: 'detached' })
      for (const name of ['New deployment', 'Roll out', 'Roll out again', 'Pause', 'Resume', 'Cancel', 'Roll back', 'Delete'])
        for (const role of ['button', 'link'] as const)
          expect(await other.page.getByRole(role, { name, exact: true }).count(), `${path}: ${name}`).toBe(0)
    }
    await shows('/deployments', 'app@1.0.0')
    await shows('/releases', 'app@1.0.0')
    const id = await rollOut(fleet, 'app@1.1.0', { pause_seconds: 3600 })
    await deploymentIs(fleet, id, 'in_progress', 1)
    await shows(`/deployments/${id}`, '1 of 3 devices healthy')
    await fleet.answered('POST', `/deployments/${id}/cancel`, {})
    await shows(`/deployments/${id}`, 'cancelled')
    await other.page.goto(`${fleet.endpoints.http}/deployments/new?release=app@1.0.0`)
    await other.page.getByText('You may look, but not roll anything out').waitFor()
    expect(other.faults).toEqual([])
    await other.close()
  })

  test('names and reasons that would do harm are text', async () => {
    const { body } = await fleet.answered('GET', '/deployments?limit=1')
    const id: string = body.deployments[0].deployment_id
    // Names and versions of releases are checked by whoever makes them.
    const isText = new Set(['reason', 'progress', 'previous', 'created_by', 'by', 'release', 'why', 'selector', 'workloads'])
    const poisoned = (value: unknown, key = ''): unknown => {
      if (Array.isArray(value)) return value.map((one) => poisoned(one, key))
      if (typeof value === 'object' && value !== null)
        return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, poisoned(one, name)]))
      return isText.has(key) && (typeof value === 'string' || value === null) ? wild : value
    }
    const isAsked = (url: URL): boolean => /^\/api\/v1\/(deployments|releases|devices\/[^/]+\/plan)/.test(url.pathname)
    await page.route(isAsked, async (route) => {
      const answer = await route.fetch()
      await route.fulfill({ response: answer, json: poisoned(await answer.json()) })
    })
    const found: unknown[] = []
    for (const path of [
      '/deployments',
      `/deployments/${id}`,
      '/releases',
      '/deployments/new',
      '/fleet/local-1',
      `/deployments/new?release=${encodeURIComponent(`${markup} \u202egnp.exe \u0007`)}`,
    ]) {
      await go(path)
      await page
        .locator('main')
        .getByText(path.includes('/new') ? 'Which devices' : 'globalThis.ran')
        .first()
        .waitFor()
      await page.getByLabel('Loading').first().waitFor({ state: 'detached' })
      for (const screen of [desk, phone]) {
        await page.setViewportSize(screen)
        await twoFrames(page)
        const overflow = await overflowOf(page)
        if (overflow > 0) found.push(`${path} ${screen.width}: ${overflow} pixels wider than the screen`)
        found.push(...(await page.evaluate<string[]>(harm)).map((fault) => `${path}: ${fault}`))
      }
      await page.setViewportSize(desk)
    }
    await page.unroute(isAsked)
    expect(found).toEqual([])
  })
})
