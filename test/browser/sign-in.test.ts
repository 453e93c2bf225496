import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeFaults, chromiumProgram, openPage, overflowOf, phone, startChromium } from '../harness/chromium.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

const program = chromiumProgram()

describe.skipIf(program === undefined)('signing in, in a browser', () => {
  let browser: Browser
  let fleet: Installation
  beforeAll(async () => {
    browser = await startChromium(program ?? '')
    fleet = await startInstallation()
  })
  afterAll(async () => {
    await browser?.close()
    await fleet?.close()
  })

  test('by keyboard alone, back to the page that was wanted; a token that does not hold is told at its field', async () => {
    const { page, faults, close } = await openPage(browser, fleet.endpoints.http, '/fleet?state=online#L12')
    const field = page.getByRole('textbox', { name: 'Token' })
    await field.waitFor()
    expect(await axeFaults(page)).toEqual([])
    await field.fill('not a token')
    await page.keyboard.press('Enter')
    await page.getByText('The token is none').waitFor()
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    await field.fill(fleet.token)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Fleet' }).waitFor()
    expect(page.url()).toBe(`${fleet.endpoints.http}/fleet?state=online#L12`)
    expect(
      await page.evaluate(() => [document.cookie, JSON.stringify({ ...localStorage, ...sessionStorage })].join()),
    ).not.toContain(fleet.token)
    expect(await page.content()).not.toContain(fleet.token)
    const signOut = page.getByRole('button', { name: /sign out/i })
    await page.route('**/dashboard/session', (route) => route.abort())
    await signOut.click()
    await page.getByText('Cannot sign out').waitFor()
    expect(await field.count(), 'nobody is told that they are out who are not').toBe(0)
    await page.unroute('**/dashboard/session')
    await signOut.click()
    await field.waitFor()
    await page.reload()
    await field.waitFor()
    expect(faults).toEqual([])
    await close()
  })

  test('a link of skein open signs in whoever follows it first, and leaves no trace in the address', async () => {
    const { stdout } = await fleet.cli(['open', '--json'])
    const { url } = JSON.parse(stdout) as { url: string }
    const path = url.slice(fleet.endpoints.http.length)
    const first = await openPage(browser, fleet.endpoints.http, path)
    await first.page.getByRole('heading', { name: 'Overview' }).waitFor()
    expect(first.page.url()).toBe(`${fleet.endpoints.http}/`)
    await first.page.reload()
    await first.page.getByRole('heading', { name: 'Overview' }).waitFor()
    const second = await openPage(browser, fleet.endpoints.http, path)
    await second.page.getByText('This link has been used').waitFor()
    expect(second.page.url()).toBe(`${fleet.endpoints.http}/login`)
    expect([...first.faults, ...second.faults]).toEqual([])
    await first.close()
    await second.close()
  })

  test('no page weighs more than 60 kB, with all that it loads', async () => {
    const { page, close } = await openPage(browser, fleet.endpoints.http, '/', { token: fleet.token })
    const { task_id: task } = (await fleet.api('POST', '/tasks', { payload: { command: 'true' } })).body
    for (const path of ['/', '/fleet', '/fleet/local', '/tasks', `/tasks/${task}`, '/tasks/new', '/approvals', '/tokens']) {
      await page.goto(`${fleet.endpoints.http}${path}`)
      await page.locator('main h1').waitFor()
      const bytes = await page.evaluate(() =>
        performance
          .getEntries()
          .filter((one): one is PerformanceResourceTiming => one instanceof PerformanceResourceTiming)
          .filter(({ name }) => !new URL(name).pathname.startsWith('/api/') && !new URL(name).pathname.startsWith('/dashboard/'))
          .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
      )
      expect([path, bytes < 60_000, bytes > 20_000], `${bytes} bytes`).toEqual([path, true, true])
    }
    await close()
  })

  test('on a phone nothing is wider than the screen', async () => {
    const { page, close } = await openPage(browser, fleet.endpoints.http, '/login', { screen: phone })
    await page.getByRole('textbox', { name: 'Token' }).waitFor()
    expect(await overflowOf(page)).toBe(0)
    await close()
  })
})
