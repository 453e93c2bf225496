import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { createAttempts } from '../../dashboard/server/attempts.ts'
import { openSessions, type Session } from '../../dashboard/server/sessions.ts'
import { createTickets } from '../../dashboard/server/tickets.ts'

let folder: string
let nowMs = 1_800_000_000_000
const clock = { ...systemClock, now: () => nowMs, mono: () => nowMs }
const opened = () => openSessions({ key: join(folder, 'keys', 'session.key'), ended: join(folder, 'keys', 'ended.json') }, clock)
const ann = () => ({ subject: 'ann', role: 'operator' as const, expiresAt: nowMs + 400 * 86_400_000 })
const cookieOf = (header: string): string => header.split(';')[0] ?? ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-sessions-'))
  nowMs = 1_800_000_000_000
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('openSessions()', () => {
  test('a session comes back from its cookie, in this process and in the next; the token in it cannot be read', async () => {
    const sessions = opened()
    const { session, sealed } = await sessions.begin('secret-token', ann())
    const header = sessions.header(sealed, 1000, false)
    expect(header).toMatch(/^skein-[0-9a-f]{8}=[^;]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=1$/)
    expect(Buffer.from(sealed.split('.').join(''), 'base64url').includes('secret-token')).toBe(false)
    expect(await sessions.of(`other=1; ${cookieOf(header)}`)).toEqual(session)
    expect(await opened().of(cookieOf(header))).toEqual(session)
    expect(statSync(join(folder, 'keys', 'session.key')).mode & 0o777).toBe(0o600)
    expect(sessions.header(sealed, 1000, true)).toContain('; Secure')
  })

  test('it ends after a week, or with its token if that is sooner', async () => {
    const sessions = opened()
    const week = await sessions.begin('t', ann())
    const hour = await sessions.begin('t', { ...ann(), expiresAt: nowMs + 3_600_000 })
    expect(week.session.expiresAt - nowMs).toBe(7 * 86_400_000)
    expect(hour.session.expiresAt - nowMs).toBe(3_600_000)
    nowMs += 3_600_001
    expect(await sessions.of(cookieOf(sessions.header(hour.sealed, 1, false)))).toBeUndefined()
    expect(sessions.holds(hour.session)).toBe(false)
    expect(await sessions.of(cookieOf(sessions.header(week.sealed, 1, false)))).toEqual(week.session)
  })

  test('signed out is signed out, after a restart too, and is forgotten when it would have ended anyway', async () => {
    const sessions = opened()
    const { session, sealed } = await sessions.begin('t', ann())
    const cookie = cookieOf(sessions.header(sealed, 1, false))
    sessions.end(session)
    expect(await sessions.of(cookie)).toBeUndefined()
    expect(await opened().of(cookie)).toBeUndefined()
    nowMs += 8 * 86_400_000
    const other = await sessions.begin('t', ann())
    sessions.end(other.session)
    expect(Object.keys(JSON.parse(readFileSync(join(folder, 'keys', 'ended.json'), 'utf8')))).toEqual([other.session.id])
  })

  test('a cookie that was changed, cut, made up, or sealed by another installation is none', async () => {
    const sessions = opened()
    const { sealed } = await sessions.begin('t', ann())
    const name = cookieOf(sessions.header(sealed, 1, false)).split('=')[0]
    const changed = `${sealed.slice(0, -6)}AAAAAA`
    for (const value of [changed, sealed.slice(0, 40), 'x', '', 'a.b.c.d.e', '%00', 'eyJhbGciOiJub25lIn0..e30.'])
      expect([value, await sessions.of(`${name}=${value}`)]).toEqual([value, undefined])
    const elsewhere = openSessions({ key: join(folder, 'b.key'), ended: join(folder, 'b.json') }, clock)
    expect(await elsewhere.of(cookieOf(sessions.header(sealed, 1, false)))).toBeUndefined()
    expect(await elsewhere.of(cookieOf(elsewhere.header(sealed, 1, false)))).toBeUndefined()
    expect(await sessions.of(undefined)).toBeUndefined()
  })

  test('a key of the wrong size is refused by name; a list of ended ones that cannot be read keeps nobody out', () => {
    writeFileSync(join(folder, 'bad.key'), 'abc')
    expect(() => openSessions({ key: join(folder, 'bad.key'), ended: 'x' }, clock)).toThrow(/bad.key": it is 2 bytes, not 32/)
    writeFileSync(join(folder, 'ended.json'), '{{{')
    expect(() => openSessions({ key: join(folder, 'k'), ended: join(folder, 'ended.json') }, clock)).not.toThrow()
  })
})

describe('createTickets()', () => {
  const session: Session = { id: 's', token: 't', subject: 'ann', role: 'viewer', expiresAt: 2_000_000_000_000 }

  test('a ticket is good once, and for half a minute', () => {
    const tickets = createTickets<Session>(clock, 30_000)
    const [first, second] = [tickets.issue(session), tickets.issue(session)]
    expect(first).not.toBe(second)
    expect(tickets.take(first)).toBe(session)
    expect(tickets.take(first)).toBeUndefined()
    nowMs += 30_001
    expect(tickets.take(second)).toBeUndefined()
    expect(tickets.take('')).toBeUndefined()
  })

  test('many that nobody uses do not pile up', () => {
    const tickets = createTickets<Session>(clock, 30_000)
    const first = tickets.issue(session)
    for (let i = 0; i < 10_001; i++) tickets.issue(session)
    expect(tickets.take(first)).toBeUndefined()
  })
})

describe('createAttempts()', () => {
  test('after ten failures in a minute an address waits, others do not; a success clears it', () => {
    const attempts = createAttempts(clock)
    for (let i = 0; i < 10; i++) {
      expect(attempts.waitSeconds('a')).toBe(0)
      attempts.failed('a')
      nowMs += 1000
    }
    expect(attempts.waitSeconds('a')).toBe(50)
    expect(attempts.waitSeconds('b')).toBe(0)
    nowMs += 50_001
    expect(attempts.waitSeconds('a')).toBe(0)
    attempts.failed('a')
    attempts.succeeded('a')
    for (let i = 0; i < 9; i++) attempts.failed('a')
    expect(attempts.waitSeconds('a')).toBe(0)
  })
})
