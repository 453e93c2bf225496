import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBusyFleet } from '../harness/busy-fleet.ts'
import { chromiumProgram, foreignName, openPage, startChromium } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import type { Installation } from '../harness/installation.ts'

const program = chromiumProgram()

describe.skipIf(program === undefined)('who may not, in a browser', () => {
  let browser: Browser
  let fleet: Installation
  let tasks: Readonly<Record<string, string>>
  beforeAll(async () => {
    browser = await startChromium(program ?? '')
    ;({ fleet, tasks } = await startBusyFleet())
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await fleet?.close()
  })

  const tokenOf = async (name: string, role: string, ttl_seconds = 3600): Promise<string> => {
    const { status, body } = await fleet.api('POST', '/tokens', { name, role, ttl_seconds })
    expect(status).toBe(201)
    return body.token
  }

  /** What is offered on a page that changes something. */
  const actsOn = async (page: Page): Promise<string[]> => {
    const names = await page.locator('main').getByRole('button').or(page.locator('main a.button')).allTextContents()
    return names.map((name) => name.trim()).filter((name) => acts.test(name))
  }
  const acts =
    /^((un)?drain|start|stop|restart|cancel.*|.*again|(new|copy to a new) task|run something.*|approve|reject.*|revoke|new token|edit|add a device|reload|send|more)$/i

  test('a viewer sees all and is offered nothing that it may not do', async () => {
    const { page, faults, close } = await openPage(browser, fleet.endpoints.http, '/', { token: await tokenOf('vera', 'viewer') })
    for (const [path, text] of [
      ['/', 'exit 3'],
      ['/fleet', 'local-3'],
      ['/fleet/local-1', 'crash loop'],
      ['/fleet/local-1?log=ticker', /^tick \d/],
      ['/tasks', 'make world'],
      [`/tasks/${tasks['active']}`, 'begun'],
      [`/tasks/${tasks['failed']}`, 'no such thing'],
      ['/tokens', 'Tokens are made by administrators'],
      ['/tokens?add=token', 'Tokens are made by administrators'],
    ] as const) {
      await page.goto(fleet.endpoints.http + path)
      await page.locator('main').getByText(text).first().waitFor()
      expect([path, await actsOn(page)]).toEqual([path, []])
      expect(await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Tokens' }).count()).toBe(0)
    }
    expect(faults).toEqual([])
    await close()
    const admin = await openPage(browser, fleet.endpoints.http, '/fleet/local-1', { token: fleet.token })
    await admin.page.getByText('crash loop').first().waitFor()
    expect(await actsOn(admin.page), 'which an admin is offered').toEqual(expect.arrayContaining(['Drain', 'Stop', 'Edit']))
    await admin.close()
  })

  test('a session that ends leads to the sign-in, and signing in leads back', async () => {
    for (const [how, end] of [
      ['revoked', () => fleet.api('POST', '/tokens/rita-revoked/revoke')],
      ['expired', () => undefined],
    ] as const) {
      const token = await tokenOf(`rita-${how}`, 'operator', how === 'expired' ? 3 : 3600)
      const { page, faults, close } = await openPage(browser, fleet.endpoints.http, '/fleet?q=local-2', { token })
      await page.getByText('1 of 3 devices').waitFor()
      await end()
      const field = page.getByRole('textbox', { name: 'Token' })
      await field.waitFor()
      expect(new URL(page.url()).pathname).toBe('/login')
      // A session ends when its token does, which counts in whole seconds.
      await eventually(
        'the token holds no more',
        async () => (await fleet.api('GET', '/whoami', undefined, token)).status === 401,
      )
      await field.fill(token)
      await page.keyboard.press('Enter')
      await page.locator('.field-wrong').getByText(how).waitFor()
      await field.fill(fleet.token)
      await page.keyboard.press('Enter')
      await page.getByText('1 of 3 devices').waitFor()
      expect(page.url()).toBe(`${fleet.endpoints.http}/fleet?q=local-2`)
      expect(faults).toEqual([])
      await close()
    }
  })

  test('who signs out in one tab has signed out in all of them', async () => {
    const { page, context, close } = await openPage(browser, fleet.endpoints.http, '/', { token: fleet.token })
    const other = await context.newPage()
    await other.goto(`${fleet.endpoints.http}/tasks`)
    await other.getByText('make world').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    for (const one of [page, other]) await one.getByRole('textbox', { name: 'Token' }).waitFor()
    expect(await context.cookies()).toEqual([])
    await close()
  })

  describe('a page of another origin', () => {
    let foreign: Server
    beforeAll(async () => {
      foreign = createServer((_, response) =>
        response.setHeader('content-type', 'text/html').end('<!doctype html><title>elsewhere</title>'),
      )
      await new Promise<void>((resolve) => foreign.listen(0, () => resolve()))
    })
    afterAll(() => foreign?.close())

    // The same name with another port is another origin, but the same site: the cookie goes along.
    test.for(['localhost', '127.0.0.1'])('at %s can neither ask nor post nor look, whatever it tries', async (name) => {
      const { http } = fleet.endpoints
      const { page, context, close } = await openPage(browser, http, '/', { token: fleet.token })
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      const before = await taskIds()
      const there = await context.newPage()
      const elsewhere = `http://${name}:${(foreign.address() as AddressInfo).port}/` // it listens on TCP
      await there.goto(elsewhere)
      const ticket = await page.evaluate<{ ticket: string }>(
        `fetch('/dashboard/ticket', { method: 'POST' }).then((answer) => answer.json())`,
      )
      const got = await there.evaluate<Record<string, string>>(`(${attack})(${JSON.stringify({ http, ...ticket })})`)
      expect(got).toEqual({
        ...{ read: 'refused', readWithout: 'refused', post: 'refused', json: 'refused', without: 'refused' },
        ...{ socket: 'closed', ticketSocket: 'closed', frame: 'nothing', script: 'error', image: 'error' },
      })
      const answered = there.waitForResponse((answer) => answer.request().isNavigationRequest() && answer.url().startsWith(http))
      await there.evaluate(`(${postForm})(${JSON.stringify(http)})`)
      expect((await answered).status()).toBe(403)
      expect(await taskIds()).toEqual(before)

      // The page itself goes on, and with the very ticket that was no good elsewhere.
      expect(await page.evaluate(`(${openSocket})(${JSON.stringify(ticket)})`)).toBe('open')
      await close()
    })

    const taskIds = async (): Promise<string[]> =>
      (await fleet.answered('GET', '/tasks?limit=200')).body.tasks.map((one: { task_id: string }) => one.task_id)
  })

  test('a foreign name that leads to this machine shows nothing', async () => {
    const { port } = new URL(fleet.endpoints.http)
    const context = await browser.newContext()
    const page = await context.newPage()
    const answer = await page.goto(`http://${foreignName}:${port}/`)
    expect([answer?.status(), await page.locator('#app').count()]).toEqual([421, 0])
    await context.close()
  })
})

const body = `JSON.stringify({ payload: { command: ['true'] }, tags: ['foreign'] })`

/** What a page can try with the means of a browser, and what came of each. */
const attack = `async ({ http, ticket }) => {
  const ask = (path, how) => fetch(http + path, how).then(
    async (answer) => answer.type + ', ' + (await answer.text()).length + ' bytes', () => 'refused')
  const socket = (path) => new Promise((done) => {
    const one = new WebSocket(http.replace('http', 'ws') + path)
    one.onopen = () => done('open')
    one.onclose = () => done('closed')
  })
  const element = (name, attributes) => new Promise((done) => {
    const one = Object.assign(document.createElement(name), attributes)
    one.onload = () => done('loaded')
    one.onerror = () => done('error')
    document.body.append(one)
  })
  const frame = async () => {
    const one = Object.assign(document.createElement('iframe'), { src: http + '/' })
    await new Promise((done) => { one.onload = done; document.body.append(one) })
    try { return one.contentDocument === null ? 'nothing' : 'a document' } catch { return 'nothing' }
  }
  const post = { method: 'POST', body: ${body} }
  return {
    read: await ask('/api/v1/tasks', { credentials: 'include' }),
    readWithout: await ask('/api/v1/tasks', { credentials: 'include', mode: 'no-cors' }),
    post: await ask('/api/v1/tasks', { ...post, credentials: 'include' }),
    json: await ask('/api/v1/tasks', { ...post, credentials: 'include', headers: { 'content-type': 'application/json' } }),
    without: await ask('/api/v1/tasks', { ...post, credentials: 'include', mode: 'no-cors' }),
    socket: await socket('/dashboard/socket'),
    ticketSocket: await socket('/dashboard/socket?ticket=' + ticket),
    frame: await frame(),
    script: await element('script', { src: http + '/api/v1/devices' }),
    image: await element('img', { src: http + '/icon.svg' }),
  }
}`

/** A form that is sent as text that happens to be JSON. */
const postForm = `(http) => {
  const form = Object.assign(document.createElement('form'), { method: 'post', action: http + '/api/v1/tasks', enctype: 'text/plain' })
  const field = Object.assign(document.createElement('input'), { name: ${body}.slice(0, -1) + ',"a":"', value: '"}' })
  form.append(field)
  document.body.append(form)
  form.submit()
}`

const openSocket = `({ ticket }) => new Promise((done) => {
  const one = new WebSocket(location.origin.replace('http', 'ws') + '/dashboard/socket?ticket=' + ticket)
  one.onopen = () => done('open')
  one.onclose = () => done('closed')
})`
