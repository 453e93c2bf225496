import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { makeCertificate } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { startOpenBroker } from '../harness/open-broker.ts'
import { connectBytes } from '../harness/raw-mqtt.ts'
import { startTestBroker } from '../harness/test-broker.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-tls-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const certFile = (): string => join(folder, 'cert.pem')
const keyFile = (): string => join(folder, 'key.pem')
/** Makes a certificate of this name; into the files that a broker reads, if none are given. */
const make = (name: string, cert = certFile(), key = keyFile()): void => makeCertificate(name, cert, key)
const dial = async (port: number): Promise<{ socket: TLSSocket; name: unknown }> => {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return { socket, name: socket.getPeerCertificate().subject.CN }
}
/** A broker with these files, and the constant messages that it logs. */
const startSecure = async () => {
  const said: string[] = []
  const log = pino({}, { write: (line: string) => void said.push(JSON.parse(line).msg) })
  const tls = { port: 0, wssPort: 0, certFile: certFile(), keyFile: keyFile() }
  const world = await startTestBroker({ listen: { bind: '127.0.0.1', mqttPort: 0, wsPort: 0, tls }, log })
  const { mqtts, wss } = world.broker.addresses
  return { ...world, said, port: mqtts?.port ?? 0, wss: wss?.url ?? '' }
}

describe('the certificate', () => {
  test('is loaded again when its files change: new connections see it, those that are open stay', async () => {
    make('first')
    const world = await startSecure()
    const before = await dial(world.port)
    expect(before.name).toBe('first')
    make('second', join(folder, 'new-cert'), join(folder, 'new-key'))
    copyFileSync(join(folder, 'new-key'), keyFile())
    copyFileSync(join(folder, 'new-cert'), certFile())
    await eventually('the second certificate', async () => {
      const { socket, name } = await dial(world.port)
      socket.destroy()
      return name === 'second'
    })
    before.socket.write(connectBytes({ token: await world.token('admin', 'admin') }))
    const answer = await eventually('CONNACK', () => before.socket.read())
    expect(answer).toEqual(Buffer.from([0x20, 2, 0, 0]))
    before.socket.destroy()
    await world.close()
  })

  test('that is broken, or does not fit its key, leaves the old one in place, and the log says so', async () => {
    make('first')
    const world = await startSecure()
    for (const breakIt of [
      () => writeFileSync(certFile(), '-----BEGIN CERTIFICATE-----\nno\n'),
      () => make('other', certFile(), join(folder, 'other-key')),
      () => rmSync(certFile()),
    ]) {
      const before = world.said.length
      breakIt()
      await world.broker.reloadCertificate()
      expect(world.said.slice(before)).toContain('new certificate cannot be used, the old one stays')
      const { socket, name } = await dial(world.port)
      expect(name).toBe('first')
      socket.destroy()
    }
    await world.close()
  })

  test('serves WebSocket as well', async () => {
    make('first')
    const world = await startSecure()
    const socket = new WebSocket(world.wss, ['mqtt'], { rejectUnauthorized: false })
    const heard: Buffer[] = []
    socket.on('message', (data: Buffer) => heard.push(data))
    await eventually('it opens', () => socket.readyState === WebSocket.OPEN)
    socket.send(connectBytes({ token: await world.token('admin', 'admin') }))
    await eventually('CONNACK', () => heard.length === 1)
    expect(heard[0]).toEqual(Buffer.from([0x20, 2, 0, 0]))
    socket.terminate()
    await world.close()
  })

  test('that cannot be read keeps a broker from starting', async () => {
    writeFileSync(certFile(), 'no')
    writeFileSync(keyFile(), 'no')
    await expect(startSecure()).rejects.toThrow()
  })
})

describe('skein broker', () => {
  const run = (...args: string[]) => {
    const env = { PATH: process.env['PATH'] ?? '' }
    return spawnSync(process.execPath, ['dist/broker.js', '--data', folder, '--mqtt-port', '0', '--ws-port', '0', ...args], {
      encoding: 'utf8',
      env,
      timeout: 20_000,
    })
  }
  test.each([
    ['elsewhere than on loopback without a certificate', ['--bind', '0.0.0.0'], 'bind'],
    ['open and elsewhere than on loopback', ['--open', '--bind', '0.0.0.0', '--insecure'], 'open'],
    ['open on an address of a network', ['--open', '--bind', '192.0.2.1', '--insecure'], 'open'],
  ])('does not listen %s, and exits 78', (_, args, key) => {
    const { status, stderr } = run(...args)
    expect(status).toBe(78)
    expect(stderr).toContain(`skein broker: ${key}: `)
  })
  test('--open says loudly that it is open, by flag and by environment', async () => {
    const broker = await startOpenBroker()
    expect(broker.log()).toMatch(/"level":40.*OPEN BROKER/)
    await broker.close()
  })
  test('SIGHUP loads the certificate again', async () => {
    make('first')
    const broker = await startOpenBroker('--tls-port', '0', '--wss-port', '0', '--tls-cert', certFile(), '--tls-key', keyFile())
    process.kill(broker.pid, 'SIGHUP')
    await eventually('the log', () => broker.log().includes('certificate loaded again'))
    await broker.close()
  })
})
