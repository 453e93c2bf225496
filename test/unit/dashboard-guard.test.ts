import { hostname } from 'node:os'
import { describe, expect, test } from 'vitest'
import { createGuard } from '../../dashboard/server/guard.ts'

const { refusalOf } = createGuard(['skein.example.org'])
const statusOf = (headers: Record<string, string>, url = '/'): number => refusalOf({ headers, url })?.status ?? 200

describe('refusalOf()', () => {
  test('addresses, localhost, the name of the machine and the names that were given are ours', () => {
    for (const host of [
      '127.0.0.1',
      '127.0.0.1:8080',
      '192.168.1.20:8080',
      '[::1]:8080',
      '[fe80::1]',
      'localhost:8080',
      'LOCALHOST',
      'a.localhost:1',
      hostname(),
      'Skein.Example.org:443',
    ])
      expect([host, statusOf({ host })]).toEqual([host, 200])
  })

  test('any other name is misdirected, and the answer says what to do; so is none', () => {
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example:8080',
      'skein.example.org.evil',
      '',
      'a b',
    ])
      expect([host, statusOf({ host })]).toEqual([host, 421])
    expect(statusOf({})).toBe(421)
    expect(refusalOf({ headers: { host: 'pi.lan:8080' }, url: '/' })?.error.message).toContain('--http-hosts pi.lan')
  })

  test('probes, and whoever shows a token of his own, may come by any name', () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/metrics?x=1'])
      expect([path, statusOf({ host: 'hub' }, path)]).toEqual([path, 200])
    expect(statusOf({ host: 'hub:8080', authorization: 'Bearer x' }, '/api/v1/tasks')).toBe(200)
    expect(statusOf({ host: 'hub' }, '/healthz/../')).toBe(421)
  })

  test('a page of another origin is refused, whatever it shows', () => {
    const host = '127.0.0.1:8080'
    for (const origin of ['http://evil.example', 'http://127.0.0.1:8081', 'http://localhost:8080', 'null', 'file://', 'x']) {
      expect([origin, statusOf({ host, origin })]).toEqual([origin, 403])
      expect([origin, statusOf({ host, origin, authorization: 'Bearer x' }, '/healthz')]).toEqual([origin, 403])
    }
    for (const origin of ['http://127.0.0.1:8080', 'https://127.0.0.1:8080']) expect(statusOf({ host, origin })).toBe(200)
    expect(statusOf({ host: 'LOCALHOST:8080', origin: 'http://localhost:8080' })).toBe(200)
  })

  test('what a stranger wrote is not repeated as it is', () => {
    const { error } = refusalOf({ headers: { host: `a\u202e\u001b[31m${'x'.repeat(500)}` }, url: '/' }) ?? {}
    expect(error?.message).toMatch(/^[\x20-\x7e]{20,400}$/)
  })
})
