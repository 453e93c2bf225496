import { type Clock, every } from '../base/clock.ts'
import type { Journal } from './journal.ts'
import { readClockSigns } from './workloads/clock-signs.ts'
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
  let signs = readClockSigns('/', clock.now())

  const look = (): void => {
    if (clock.mono() - lookedMono < lookMs) return
    lookedMono = clock.mono()
    signs = readClockSigns('/', clock.now())
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
