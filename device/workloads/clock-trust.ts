/** What is known of the wall clock. Instants are of that clock unless their name ends in `Mono`: milliseconds since boot. */
export interface ClockSigns {
  now: number
  nowMono: number
  /** It has been trusted before in this boot, and nothing has set it back since. */
  wasTrusted: boolean
  /** The latest time that a daemon of this device has seen and trusted; it is stored every minute or so. */
  lastSeen: number | null
  /** When this program was made. */
  builtAt: number
  /** A time service says that it has set the clock. */
  isSynchronized: boolean
  /** There is a time service. */
  hasTimeService: boolean
  /** There is a clock with a battery, and the wall clock was set by it. */
  hasBatteryClock: boolean
  /** What the controller said last, carried on to now; null if it has said nothing since the daemon began. */
  controllerNow: number | null
}

export type ClockTrust = { isTrusted: true; because: string } | { isTrusted: false; because: string; againInMs: number }

/** So far apart may the clocks of device and controller be. */
export const agreeWithinMs = 60_000
/** So long after boot schedules wait for a clock that may be right, and for one that is certainly wrong but will be set. */
export const unsureForMs = 120_000
export const wrongForMs = 600_000

const againInMs = 1000

/**
 * Says whether schedules may go by the wall clock. A machine without a battery clock begins with the time of its last shutdown
 * or with 1970, so what fires before the clock is set fires at a wrong time. The first rule that applies counts:
 *
 * 1. A time service has set it, or the controller says the same time: trusted.
 * 2. It shows a time before the last one that was seen, or before this program was made: it is certainly wrong. Schedules wait
 *    until ten minutes after boot if there is a time service or another word of the controller, else two.
 * 3. It was trusted before in this boot, or a battery clock has set it: trusted, in a place without a network too.
 * 4. Nothing speaks for it and nothing against it (it was restored from the last shutdown): schedules wait until two minutes
 *    after boot.
 *
 * After that time they go by what there is: a device needs nobody. When the clock is set later, the slots that it jumps over
 * are judged by the workload's `missed`, and so are those that have passed while schedules waited.
 */
export const isClockTrusted = (signs: ClockSigns): ClockTrust => {
  if (signs.isSynchronized) return { isTrusted: true, because: 'a time service has set the clock' }
  if (signs.controllerNow !== null && Math.abs(signs.controllerNow - signs.now) <= agreeWithinMs)
    return { isTrusted: true, because: 'the controller says the same time' }

  const wrong = whyWrong(signs)
  if (wrong !== null) {
    const mayBeSet = signs.hasTimeService || signs.controllerNow !== null
    return until(mayBeSet ? wrongForMs : unsureForMs, signs.nowMono, wrong)
  }
  if (signs.wasTrusted) return { isTrusted: true, because: 'the clock was trusted before in this boot' }
  if (signs.hasBatteryClock) return { isTrusted: true, because: 'a clock with a battery says the same time' }
  return until(unsureForMs, signs.nowMono, 'nothing has set the clock since boot')
}

const whyWrong = ({ now, lastSeen, builtAt }: ClockSigns): string | null => {
  // A little back is what a time service does to a clock that was fast.
  if (lastSeen !== null && now < lastSeen - agreeWithinMs) return 'the clock is behind the last time that was seen'
  return now < builtAt ? 'the clock shows a time before this program was made' : null
}

const until = (endMono: number, nowMono: number, because: string): ClockTrust =>
  nowMono >= endMono
    ? { isTrusted: true, because: `${because}, and schedules have waited long enough` }
    : { isTrusted: false, because, againInMs: Math.min(againInMs, endMono - nowMono) }
