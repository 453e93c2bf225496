import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readClockSigns } from '../../device/workloads/clock-signs.ts'
import { type ClockSigns, isClockTrusted, unsureForMs, wrongForMs } from '../../device/workloads/clock-trust.ts'

const now = Date.UTC(2026, 5, 1)
const hour = 3_600_000

/** A machine without a battery clock, right after boot, whose time was restored from its last shutdown. */
const restored: ClockSigns = {
  now,
  nowMono: 20_000,
  wasTrusted: false,
  lastSeen: now,
  builtAt: now - 1000 * hour,
  isSynchronized: false,
  hasTimeService: true,
  hasBatteryClock: false,
  controllerNow: null,
}
const trust = (signs: Partial<ClockSigns>) => isClockTrusted({ ...restored, ...signs })

describe('isClockTrusted()', () => {
  test('waits on a machine without a battery clock, for two minutes after boot', () => {
    expect(trust({})).toEqual({ isTrusted: false, because: 'nothing has set the clock since boot', againInMs: 1000 })
    expect(trust({ nowMono: unsureForMs - 1 })).toMatchObject({ isTrusted: false, againInMs: 1 })
    expect(trust({ nowMono: unsureForMs }).isTrusted).toBe(true)
    expect(trust({ hasTimeService: false }).isTrusted).toBe(false)
  })

  test('trusts a time service and a controller that agrees at once', () => {
    expect(trust({ isSynchronized: true }).isTrusted).toBe(true)
    expect(trust({ controllerNow: now + 30_000 }).isTrusted).toBe(true)
    expect(trust({ controllerNow: now + hour }).isTrusted).toBe(false)
    expect(trust({ isSynchronized: true, controllerNow: now + hour, lastSeen: now + hour }).isTrusted).toBe(true)
  })

  test('trusts a battery clock, and what was trusted before in this boot', () => {
    expect(trust({ hasBatteryClock: true }).isTrusted).toBe(true)
    expect(trust({ wasTrusted: true }).isTrusted).toBe(true)
    expect(trust({ lastSeen: null, hasBatteryClock: true }).isTrusted).toBe(true)
  })

  test('waits longer for a clock that shows a time that is over, if it may yet be set', () => {
    for (const wrong of [
      { now: 0, lastSeen: null },
      { lastSeen: now + hour },
      { now: 0, wasTrusted: true, hasBatteryClock: true },
    ]) {
      expect(trust({ ...wrong, nowMono: wrongForMs - 1 }).isTrusted).toBe(false)
      expect(trust({ ...wrong, nowMono: wrongForMs }).isTrusted).toBe(true)
      expect(trust({ ...wrong, nowMono: unsureForMs, hasTimeService: false }).isTrusted).toBe(true)
    }
    expect(trust({ lastSeen: now + 1000, wasTrusted: true }).isTrusted).toBe(true)
  })
})

test('readClockSigns() reads what a machine shows', () => {
  const root = mkdtempSync(join(tmpdir(), 'skein-clock-'))
  const put = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  try {
    expect(readClockSigns(root, now)).toEqual({ isSynchronized: false, hasTimeService: false, hasBatteryClock: false })
    put('sys/class/rtc/rtc0/name', 'without a time')
    put('sys/class/rtc/rtc1/since_epoch', '4711\n')
    put('run/chrony/chronyd.pid', '1')
    expect(readClockSigns(root, now)).toEqual({ isSynchronized: false, hasTimeService: true, hasBatteryClock: false })
    put('sys/class/rtc/rtc1/since_epoch', `${now / 1000 + 7200}\n`)
    put('run/systemd/timesync/synchronized', '')
    expect(readClockSigns(root, now)).toEqual({ isSynchronized: true, hasTimeService: true, hasBatteryClock: true })
  } finally {
    rmSync(root, { recursive: true })
  }
})
