import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lookAt, openSocket, signIn } from '../harness/dashboard-client.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

let fleet: Installation
let http: string
beforeAll(async () => {
  fleet = await startInstallation()
  http = fleet.endpoints.http
})
afterAll(() => fleet?.close())

/** A request with just these headers: `fetch` would set Host itself. */
const raw = (
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<{ status: number; text: string; headers: Record<string, unknown> }> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(http)
    const asked = request({ host: hostname, port, method, path, headers }, (answer) => {
      let text = ''
      answer.on('data', (part) => {
        text += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }))
    })
    asked.on('error', reject)
    asked.end(body)
  })

const tokenOf = async (name: string, role: string): Promise<string> => {
  const made = await fleet.api('POST', '/tokens', { name, role })
  expect(made.status).toBe(201)
  return made.body.token
}

describe('the pages', () => {
  test('GET / and every address of a page answer 200 with the page, signed in or not', async () => {
    for (const path of ['/', '/login', '/fleet', '/fleet/local', '/tasks/01abc?run=1', '/anything/else']) {
      const answer = await fetch(`${http}${path}`)
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, 200, 'text/html;charset=utf-8'])
      expect(await answer.text()).toContain('<div id="app"></div>')
    }
  })

  test('nothing inline, nothing from elsewhere: the policy says so, and the page keeps to it', async () => {
    const answer = await fetch(`${http}/`)
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|\*|http/)
    const page = await answer.text()
    for (const [, attributes, inside] of page.matchAll(/<script([^>]*)>([^<]*)<\/script>/g)) {
      expect(attributes).toMatch(/src="\/assets\//)
      expect(inside).toBe('')
    }
    expect(page).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:|https?:\/\//)
    expect(answer.headers.get('x-frame-options')).toBe('DENY')
    expect(answer.headers.get('cache-control')).toBe('no-cache')
    expect(page).not.toContain(fleet.token)
  })

  test('assets are compressed and kept for ever; one that is missing is not found', async () => {
    const page = await (await fetch(`${http}/`)).text()
    const [script = ''] = page.match(/\/assets\/[^"]+\.js/) ?? []
    const answer = await fetch(`${http}${script}`)
    expect(answer.headers.get('content-encoding')).toMatch(/br|gzip/)
    expect(answer.headers.get('cache-control')).toContain('immutable')
    expect((await fetch(`${http}/assets/none.js`)).status).toBe(404)
    expect((await fetch(`${http}/favicon.ico`)).status).toBe(404)
    expect((await fetch(`${http}/..%2f..%2fadmin.token`)).status).not.toBe(500)
    for (const path of ['/assets/..%2f..%2f..%2fadmin.token', '/%2e%2e/%2e%2e/admin.token'])
      expect((await raw('GET', path, { host: new URL(http).host })).text).not.toContain(fleet.token)
  })

  test('what was there before the pages is still there', async () => {
    expect((await fetch(`${http}/healthz`)).status).toBe(200)
    expect((await fetch(`${http}/api/v1/tasks`)).status).toBe(401)
    expect((await fetch(`${http}/api/v1/nothing`, { headers: { authorization: `Bearer ${fleet.token}` } })).status).toBe(404)
    expect((await fetch(`${http}/`, { method: 'POST' })).status).toBe(404)
  })
})

describe('signing in', () => {
  test('a token becomes a session that no script can read, and that does what its role may', async () => {
    const viewer = await signIn(http, await tokenOf('vera', 'viewer'))
    expect(viewer.status).toBe(201)
    expect(viewer.body).toMatchObject({ subject: 'vera', role: 'viewer', fleet: 'default' })
    expect(viewer.setCookie).toMatch(/HttpOnly; SameSite=Strict/)
    expect(await (await viewer.ask('GET', '/dashboard/session')).json()).toMatchObject({ subject: 'vera', role: 'viewer' })
    expect((await viewer.ask('GET', '/api/v1/devices')).status).toBe(200)
    const refused = await viewer.ask('POST', '/api/v1/tasks', { body: { payload: { command: 'true' } } })
    expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([403, 'forbidden'])
    const admin = await signIn(http, fleet.token)
    const accepted = await admin.ask('POST', '/api/v1/tasks', { body: { payload: { command: 'true' } } })
    expect(accepted.status).toBe(201)
    expect(((await accepted.json()) as { requested_by: string }).requested_by).toBe('admin')
  })

  test('what is no token of a person is refused at its field, with a code', async () => {
    const device = await fleet.tokenFor('local', 'device')
    for (const [token, code] of [
      ['', 'invalid'],
      ['x'.repeat(9000), 'invalid'],
      ['not a token', 'invalid'],
      ['not-a-token', 'invalid'],
      ['a.b.c\r\nx-injected: 1', 'invalid'],
      ['a.b.c', 'unauthorized'],
      [`${fleet.token.slice(0, -4)}AAAA`, 'unauthorized'],
      [await fleet.tokenFor('nobody-knows', 'admin'), 'unauthorized'],
      [device, 'unauthorized'],
    ] as const) {
      const { status, body, setCookie } = await signIn(http, token)
      expect([status >= 400 && status < 500, setCookie]).toEqual([true, null])
      expect(body).toMatchObject({ error: { code, details: [{ field: 'token' }] } })
    }
    expect((await fetch(`${http}/dashboard/session`, { method: 'POST', body: '{{{' })).status).toBe(400)
    expect((await fetch(`${http}/dashboard/session`)).status).toBe(401)
    expect((await fetch(`${http}/dashboard/ticket`, { method: 'POST' })).status).toBe(401)
  })

  test('skein open makes a link that signs in once, as whoever asked for it', async () => {
    const { code, stdout } = await fleet.cli(['open', '--json'])
    expect(code).toBe(0)
    const link = JSON.parse(stdout) as { url: string; subject: string }
    expect(link).toMatchObject({ subject: 'admin', url: expect.stringMatching(new RegExp(`^${http}/login#[\\w-]{20,}$`)) })
    expect(link.url).not.toContain(fleet.token)
    const follow = (): Promise<Response> =>
      fetch(`${http}/dashboard/session`, { method: 'POST', body: JSON.stringify({ code: link.url.split('#')[1] }) })
    const first = await follow()
    expect([first.status, await first.json()]).toMatchObject([201, { subject: 'admin', role: 'admin' }])
    const second = await follow()
    expect([second.status, await second.json()]).toMatchObject([401, { error: { details: [{ field: 'code' }] } }])
    expect((await fetch(`${http}/dashboard/invitation`, { method: 'POST' })).status).toBe(401)
    const refused = await fleet.cli(['open', '--token', await fleet.tokenFor('nobody-knows', 'admin')])
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('refuses')])
    expect((await fleet.cli(['open', '--http', 'http://127.0.0.1:1'])).code).toBe(4)
    expect((await fleet.cli(['open', '--http', 'nonsense'])).code).toBe(2)
  })

  test('signed out is signed out: the cookie is worth nothing, and its pages are told', async () => {
    const who = await signIn(http, fleet.token)
    const looking = await lookAt(who, { view: 'overview' })
    await looking.next('show')
    const answer = await who.ask('DELETE', '/dashboard/session')
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([204, expect.stringContaining('Max-Age=0')])
    expect((await looking.next('bye')).reason).toBe('signed out')
    await eventually('the websocket closes', () => looking.closed() === 4001)
    expect((await who.ask('GET', '/dashboard/session')).status).toBe(401)
    expect((await who.ask('GET', '/api/v1/devices')).status).toBe(401)
  })

  test('a token that is revoked ends its sessions: nothing more is shown to them', async () => {
    const who = await signIn(http, await tokenOf('rita', 'operator'))
    const looking = await lookAt(who, { view: 'overview' })
    await looking.next('show')
    expect((await fleet.api('POST', '/tokens/rita/revoke')).status).toBe(200)
    expect((await looking.next('bye')).reason).toContain('revoked')
    await eventually('the websocket closes', () => looking.closed() !== undefined)
    expect((await who.ask('GET', '/api/v1/devices')).status).toBe(401)
  })
})

describe('who may ask', () => {
  test('a name that is not ours is misdirected, unless a token is shown', async () => {
    const who = await signIn(http, fleet.token)
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/dashboard/session'],
      ['POST', '/dashboard/session'],
      ['GET', '/api/v1/devices'],
    ] as const) {
      const { status, text } = await raw(method, path, { host: 'evil.example', cookie: who.cookie })
      expect([path, status, JSON.parse(text).error.code]).toEqual([path, 421, 'misdirected'])
    }
    const authorization = `Bearer ${fleet.token}`
    expect((await raw('GET', '/api/v1/devices', { host: 'hub:8080', authorization })).status).toBe(200)
  })

  test('a page of another origin can neither post nor read, with the cookie or without', async () => {
    const who = await signIn(http, fleet.token)
    const before = await fleet.api('GET', '/tasks?limit=1')
    const host = new URL(http).host
    for (const origin of ['http://evil.example', `http://localhost:${new URL(http).port}`, 'null']) {
      const headers = { host, origin, cookie: who.cookie, 'content-type': 'text/plain' }
      const body = JSON.stringify({ payload: { command: 'true' }, tags: ['foreign'] })
      expect((await raw('POST', '/api/v1/tasks', headers, body)).status).toBe(403)
      expect((await raw('POST', '/dashboard/ticket', headers)).status).toBe(403)
      const read = await raw('GET', '/api/v1/devices', headers)
      expect([read.status, read.headers['access-control-allow-origin']]).toEqual([403, undefined])
      expect((await raw('OPTIONS', '/api/v1/tasks', { host, origin, 'access-control-request-method': 'POST' })).status).toBe(403)
    }
    const crossSite = { host, cookie: who.cookie, 'sec-fetch-site': 'cross-site' }
    expect((await raw('GET', '/api/v1/devices', crossSite)).status).toBe(403)
    expect((await fleet.api('GET', '/tasks?limit=1')).body.tasks).toEqual(before.body.tasks)
  })

  test('the websocket wants a ticket, once, from a page of ours', async () => {
    const who = await signIn(http, fleet.token)
    const path = async (): Promise<string> => `/dashboard/socket?ticket=${await who.ticket()}`
    expect(await openSocket(http, await path(), 'http://evil.example')).toBe(403)
    expect(await openSocket(http, await path(), undefined)).toBe(403)
    expect(await openSocket(http, '/dashboard/socket', http)).toBe(401)
    expect(await openSocket(http, '/dashboard/socket?ticket=made-up', http)).toBe(401)
    expect(await openSocket(http, `/elsewhere?ticket=${await who.ticket()}`, http)).toBe(404)
    const used = await path()
    const socket = await openSocket(http, used, http)
    expect(typeof socket).toBe('object')
    if (typeof socket === 'object') socket.terminate()
    expect(await openSocket(http, used, http)).toBe(401)
  })

  test('whatever is asked for as a websocket, the hub lives, and a connection that is refused is over', async () => {
    const { hostname, port } = new URL(http)
    const targets = ['//', 'http://', '/%', '/dashboard/socket?%', 'http:///', '*', '/dashboard/socket?ticket=a&ticket=b']
    for (const target of targets) {
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
      socket.on('error', () => undefined)
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.resume()
      // This side is never closed by itself.
      socket.write(
        `GET ${target} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      )
      await once(socket, 'end')
      await eventually(`the end of the connection that asked for ${target}`, () => {
        socket.write('x')
        return socket.destroyed
      })
      await closed
    }
    expect((await fetch(`${http}/healthz`)).status).toBe(200)
    expect(fleet.log()).not.toContain('started again')
  })

  test('whoever guesses tokens has to wait; who is signed in goes on', async () => {
    const who = await signIn(http, fleet.token)
    let refused: Awaited<ReturnType<typeof signIn>> | undefined
    for (let i = 0; i < 15 && refused?.status !== 429; i++) refused = await signIn(http, `guess.${i}.x`)
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'too_many' } } })
    expect((await who.ask('GET', '/api/v1/devices')).status).toBe(200)
    expect((await fleet.api('GET', '/devices')).status).toBe(200)
    expect((await signIn(http, fleet.token)).status, 'a token that holds is never kept out').toBe(201)
  })

  test('the installation ends in good order while pages are open', async () => {
    const looking = await lookAt(await signIn(http, fleet.token), { view: 'overview' })
    await looking.next('show')
    expect(await fleet.endUp('SIGTERM')).toBe(0)
    expect(looking.closed()).toBeDefined()
    expect(fleet.log()).not.toMatch(/SIGKILL|did not end/)
  })
})
