import { existsSync, readFileSync } from 'node:fs'
import { type Clock, every } from '../base/clock.ts'
import type { Journal } from './journal.ts'
import { type ClockTrust, isClockTrusted } from './workloads/clock-trust.ts'

export interface WallClockDeps {
  journal: Journal
  clock: Clock
}

/** Seldom: each time is a write to the disk, and a few minutes more or less do not matter. */
const rememberMs = 600_000
const lookMs = 5000
/** No such program was made before. */
const builtAt = Date.UTC(2026, 0, 1)

/** Keeps an eye on the wall clock: whether schedules may go by it. */
export const watchWallClock = ({ journal, clock }: WallClockDeps) => {
  let wasTrusted = false
  let lastSeen = journal.clockSeen()
  let lookedMono = Number.NEGATIVE_INFINITY
  let signs = { isSynchronized: false, hasTimeService: false, hasBatteryClock: false }

  const look = (): void => {
    if (clock.mono() - lookedMono < lookMs) return
    lookedMono = clock.mono()
    signs = {
      isSynchronized: existsSync('/run/systemd/timesync/synchronized'),
      hasTimeService: ['/run/systemd/timesync', '/run/chrony', '/run/ntpd.pid'].some((path) => existsSync(path)),
      hasBatteryClock: textIn('/sys/class/rtc/rtc0/hctosys') === '1',
    }
  }

  const trust = (controllerNow: number | null): ClockTrust => {
    look()
    const now = clock.now()
    const trusted = isClockTrusted({ now, nowMono: clock.mono(), wasTrusted, lastSeen, builtAt, controllerNow, ...signs })
    wasTrusted = trusted.isTrusted
    return trusted
  }

  const remembering = every(clock, rememberMs, () => {
    if (!wasTrusted) return
    try {
      journal.setClockSeen(clock.now())
      lastSeen = clock.now()
    } catch {
      // A full disk: what was seen before stands, and it is tried again.
    }
  })
  return { trust, close: (): void => remembering.cancel() }
}
export type WallClock = ReturnType<typeof watchWallClock>

const textIn = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'latin1').trim()
  } catch {
    return undefined // this machine has none
  }
}
