import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get, request } from 'node:https'
import { connect } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { systemClock } from '../../base/clock.ts'
import { type HttpDoors, type HttpListen, openHttpDoors } from '../../base/http-doors.ts'
import { silentLog } from '../../base/log.ts'
import { identityBeside } from '../../base/pinned-certificate.ts'
import { forwardTo } from '../../dashboard/server/forward.ts'
import { makeCertificate } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

let folder = ''
let opened: { close(): Promise<void> | void }[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-https-'))
})
afterEach(async () => {
  for (const one of opened.reverse()) await one.close()
  opened = []
  rmSync(folder, { recursive: true, force: true })
})
const certFile = (): string => join(folder, 'cert.pem')
const keyFile = (): string => join(folder, 'key.pem')
const make = (name: string, cert = certFile(), key = keyFile()): void => makeCertificate(name, cert, key)
const secure = (): Pick<HttpListen, 'bind' | 'port' | 'tls'> => ({
  ...{ bind: '127.0.0.1', port: 0 },
  tls: { bind: '127.0.0.1', port: 0, certFile: certFile(), keyFile: keyFile() },
})
const open = async (listen: HttpListen, handler: Parameters<typeof openHttpDoors>[1]): Promise<HttpDoors> => {
  const doors = await openHttpDoors(listen, handler, { log: silentLog, clock: systemClock })
  opened.push(doors)
  return doors
}
/** The name in the certificate that is shown on a new connection. */
const shownAt = (port: number): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const asked = get({ host: '127.0.0.1', port, rejectUnauthorized: false, agent: false }, (answer) => {
      resolve((answer.socket as TLSSocket).getPeerCertificate().subject.CN) // it came over HTTPS
      answer.resume()
    })
    asked.on('error', reject)
  })

describe('openHttpDoors()', () => {
  test('serves the same with TLS and without; a new certificate is taken when its files change, one that is none is not', async () => {
    make('first')
    const doors = await open(secure(), (_, response) => void response.end('here'))
    expect(await (await fetch(doors.http.url)).text()).toBe('here')
    expect(doors.https?.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    const port = doors.https?.port ?? 0
    expect(await shownAt(port)).toBe('first')
    writeFileSync(certFile(), 'no certificate')
    await doors.reloadCertificate()
    expect(await shownAt(port)).toBe('first')
    make('second', join(folder, 'new-cert'), join(folder, 'new-key'))
    copyFileSync(join(folder, 'new-key'), keyFile())
    copyFileSync(join(folder, 'new-cert'), certFile())
    await eventually('the second certificate', async () => (await shownAt(port)) === 'second')
    // On the port of HTTPS nothing is said in the clear.
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
  })

  test('opens both or none', async () => {
    make('one')
    const taken = await open({ bind: '127.0.0.1', port: 0 }, () => undefined)
    const listen = secure()
    const both = { ...listen, tls: { ...listen.tls, port: taken.http.port } } as HttpListen // as it was made above
    await expect(open(both, () => undefined)).rejects.toThrow(`Cannot listen for HTTP on 127.0.0.1:${taken.http.port}`)
    writeFileSync(keyFile(), 'none')
    await expect(open(secure(), () => undefined)).rejects.toThrow()
  })
})

test('forwardTo() reaches a controller over TLS, and none that its certificate does not prove', async () => {
  make('controller.example')
  const api = await open(secure(), (_, response) => void response.end('the controller'))
  const ask = async (ca: string | undefined): Promise<[number, string]> => {
    const front = await open({ bind: '127.0.0.1', port: 0 }, forwardTo(api.https?.url ?? '', ca))
    const response = await fetch(front.http.url)
    return [response.status, await response.text()]
  }
  expect(await ask(readFileSync(certFile(), 'utf8'))).toEqual([200, 'the controller'])
  expect(await ask(undefined)).toEqual([503, expect.stringContaining('unavailable')])
  make('somebody.else', join(folder, 'other.pem'), join(folder, 'other-key.pem'))
  expect(await ask(readFileSync(join(folder, 'other.pem'), 'utf8'))).toEqual([503, expect.stringContaining('unavailable')])
})

describe.each([{ apart: false }, { apart: true }])('skein up with a certificate, apart: $apart', ({ apart }) => {
  test('has REST over TLS on every address, and in the clear on loopback only', async () => {
    make('fleet.example')
    const more = { SKEIN_TLS_PORT: '0', SKEIN_WSS_PORT: '0', SKEIN_BIND: '0.0.0.0' }
    const env = { SKEIN_TLS_CERT: certFile(), SKEIN_TLS_KEY: keyFile(), ...more }
    const fleet: Installation = await startInstallation({ apart, devices: 0, env })
    opened.push(fleet)
    const { https, http, mqtt, mqtts, wss } = JSON.parse(readFileSync(fleet.paths.endpoints, 'utf8'))
    const { port } = new URL(https)
    expect([https, mqtts, wss].map((url) => new URL(url).hostname)).toEqual(Array(3).fill(hostname().toLowerCase()))
    expect([http, mqtt].map((url) => new URL(url).hostname)).toEqual(['127.0.0.1', '127.0.0.1'])
    await eventually('it is printed', () => fleet.log().includes(`REST, TLS        ${https}/api/v1`))
    // 127.0.0.2 is not where the plain one listens.
    const ca = readFileSync(certFile(), 'utf8')
    expect(await statusAt('127.0.0.2', Number(port), '/api/v1/status', ca, fleet.token)).toBe(200)
    expect(await statusAt('127.0.0.2', Number(port), '/api/v1/status', ca, 'none')).toBe(401)
    expect(await statusAt('127.0.0.2', Number(port), '/metrics', ca, fleet.token)).toBe(200)
    // The dashboard too: its cookie is for TLS alone then, and its websocket comes the same way.
    const trust = { host: '127.0.0.2', port, ca, checkServerIdentity: identityBeside(ca) }
    const origin = `https://127.0.0.2:${port}`
    const signed = await posted('/dashboard/session', trust, { origin }, JSON.stringify({ token: fleet.token }))
    expect([signed.status, signed.cookie]).toEqual([201, expect.stringContaining('; Secure')])
    const cookie = signed.cookie.split(';')[0] ?? ''
    const { ticket } = JSON.parse((await posted('/dashboard/ticket', trust, { origin, cookie }, '')).text)
    expect(await welcomeAt(`wss://127.0.0.2:${port}/dashboard/socket?ticket=${ticket}`, origin)).toMatchObject({
      kind: 'welcome',
    })
    expect((await fetch(`${http}/readyz`)).status).toBe(200)
    expect(await listensAt('127.0.0.2', Number(port))).toBe(true)
    expect(await listensAt('127.0.0.2', Number(new URL(http).port))).toBe(false)
    expect((await fleet.cli(['status'])).code).toBe(0)
    // The CLI comes from elsewhere with the same certificate.
    const elsewhere = ['status', '--url', `mqtts://127.0.0.2:${new URL(mqtts).port}`, '--token', fleet.token]
    expect((await fleet.cli([...elsewhere, '--tls-ca', certFile()])).code).toBe(0)
    expect(await fleet.cli([...elsewhere, '--timeout', '1'])).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/certificate/),
    })
  })
})

const statusAt = (host: string, port: number, path: string, ca: string, token: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const how = { host, port, path, ca, checkServerIdentity: identityBeside(ca), headers: { authorization: `Bearer ${token}` } }
    const asked = request(how, (answer) => {
      resolve(answer.statusCode)
      answer.resume()
    })
    asked.on('error', reject)
    asked.end()
  })

const posted = (
  path: string,
  trust: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<{ status: number; cookie: string; text: string }> =>
  new Promise((resolve, reject) => {
    const asked = request({ ...trust, path, method: 'POST', headers }, (answer) => {
      let text = ''
      answer.on('data', (part) => {
        text += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, cookie: answer.headers['set-cookie']?.[0] ?? '', text }))
    })
    asked.on('error', reject)
    asked.end(body)
  })

/** What a websocket is told first; whether its certificate is right is looked at elsewhere. */
const welcomeAt = (url: string, origin: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { origin, rejectUnauthorized: false })
    socket.once('message', (data) => {
      resolve(JSON.parse(String(data)))
      socket.terminate()
    })
    socket.once('error', reject)
  })

const listensAt = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

test('skein up --insecure on every address is named by loopback, where its clients find it', async () => {
  const fleet = await startInstallation({ apart: true, devices: 1, env: { SKEIN_BIND: '0.0.0.0', SKEIN_INSECURE: 'true' } })
  opened.push(fleet)
  const { mqtt, ws, http, api } = fleet.endpoints
  expect([mqtt, ws, http, api].map((url) => new URL(url).hostname)).toEqual(Array(4).fill('127.0.0.1'))
  expect(fleet.log()).not.toContain('//0.0.0.0')
  expect(await listensAt('127.0.0.2', Number(new URL(http).port))).toBe(true)
  const run = await fleet.cli(['run', '--', 'echo', 'found'])
  expect([run.code, run.stdout]).toEqual([0, 'found\n'])
})
