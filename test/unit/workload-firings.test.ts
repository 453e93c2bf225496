import { describe, expect, test } from 'vitest'
import {
  type Due,
  dueSlots,
  type FiringPlan,
  inTimeMs,
  jitterMs,
  lookAgainMs,
  mostQueued,
  nextSlot,
  onOverlap,
  planFirings,
} from '../../device/workloads/firings.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import { seeded } from '../harness/seeded.ts'

type Scheduled = Parameters<typeof planFirings>[0]

const second = 1000
const hour = 3_600_000
const day = 24 * hour
const noon = Date.UTC(2026, 5, 1, 12)

const planOf = (over: Partial<Scheduled> = {}): FiringPlan => {
  const spec: Scheduled = {
    name: 'job',
    schedule: '0 * * * *',
    missed: 'skip',
    missed_within_seconds: 86_400,
    jitter_seconds: 0,
    ...over,
  }
  const plan = planFirings(spec, { timezone: 'UTC', device: 'pi-1' })
  if (!plan) throw new Error('a plan was wanted')
  return plan
}

/** What a daemon keeps of one workload, and how it looks after it. */
const desk = (plan: FiringPlan, now: number) => {
  const claims = new Set<number>()
  const fired: Due['fire'] = []
  let decidedTo = now
  let skipped = 0
  return {
    fired,
    claims,
    look: (at: number): Due => {
      const due = dueSlots({ plan, decidedTo, now: at, claimed: (slot) => claims.has(slot) })
      for (const { slot } of due.fire) {
        expect(claims.has(slot), 'never twice').toBe(false)
        claims.add(slot)
      }
      fired.push(...due.fire)
      skipped += due.skipped?.count ?? 0
      decidedTo = due.decidedTo
      return due
    },
    skipped: () => skipped,
    slots: () => fired.map(({ slot }) => slot),
  }
}

describe('dueSlots()', () => {
  test('fires a slot when it has come, once, and says what is next', () => {
    const one = desk(planOf(), noon - 1)
    expect(one.look(noon - 1)).toMatchObject({ fire: [], skipped: null, next: { slot: noon, at: noon } })
    expect(one.look(noon)).toMatchObject({ fire: [{ slot: noon, cause: 'firing' }], next: { slot: noon + hour } })
    expect(one.look(noon).fire).toEqual([])
    expect(one.look(noon + 1).fire).toEqual([])
  })

  test('fires nothing of before the schedule was known', () => {
    expect(desk(planOf({ missed: 'all' }), noon).look(noon + second).fire).toEqual([])
  })

  test('takes what is a minute late for one in time, and what is later for missed', () => {
    expect(desk(planOf(), noon - 1).look(noon + inTimeMs).fire).toEqual([{ slot: noon, cause: 'firing' }])
    expect(desk(planOf(), noon - 1).look(noon + inTimeMs + 1)).toMatchObject({
      fire: [],
      skipped: { count: 1, isMore: false, reason: '1 firing was missed: missed is "skip"' },
    })
  })

  test('fires each of several that are in time', () => {
    const one = desk(planOf({ schedule: '*/10 * * * * *' }), noon)
    expect(one.look(noon + 35 * second).fire.map(({ slot }) => (slot - noon) / second)).toEqual([10, 20, 30])
  })

  test('has no next for a schedule that is over', () => {
    const one = desk(planOf({ schedule: '2026-06-01T12:00:00' }), noon - 1)
    expect(one.look(noon)).toMatchObject({ fire: [{ slot: noon }], next: null })
  })

  test('planFirings() has none without a schedule, takes the zone of the spec before that of the machine', () => {
    const spec: Scheduled = { name: 'job', schedule: '0 3 * * *', missed: 'skip', missed_within_seconds: 1, jitter_seconds: 0 }
    const machine = { timezone: 'Europe/Berlin', device: 'pi-1' }
    const at = (plan: FiringPlan | null) => plan && nextSlot(plan, Date.UTC(2026, 0, 1))
    expect(planFirings({ ...spec, schedule: undefined }, machine)).toBeNull()
    expect(at(planFirings(spec, machine))).toBe(Date.UTC(2026, 0, 1, 2))
    expect(at(planFirings({ ...spec, timezone: 'America/New_York' }, machine))).toBe(Date.UTC(2026, 0, 1, 8))
  })
})

describe('w18 missed firings have a policy', () => {
  const back = (missed: WorkloadSpec['missed'], away: number, within = 86_400, schedule = '0 * * * *') =>
    desk(planOf({ missed, missed_within_seconds: within, schedule }), noon).look(noon + away)

  test('skip drops and counts them, but for the one in time', () => {
    expect(back('skip', 5.5 * hour)).toMatchObject({ fire: [], skipped: { count: 5 } })
    expect(back('skip', 5 * hour + second)).toMatchObject({
      fire: [{ slot: noon + 5 * hour, cause: 'firing' }],
      skipped: { count: 4 },
    })
  })

  test('latest fires the newest, unless one is in time', () => {
    expect(back('latest', 5.5 * hour)).toMatchObject({
      fire: [{ slot: noon + 5 * hour, cause: 'missed' }],
      skipped: { count: 4, reason: '4 firings were missed, beside 1 that is made up for: missed is "latest" within 86400 s' },
    })
    expect(back('latest', 5 * hour + second).fire).toEqual([{ slot: noon + 5 * hour, cause: 'firing' }])
    expect(back('latest', 5.5 * hour, 60)).toMatchObject({ fire: [], skipped: { count: 5 } })
  })

  test('all fires each within the window, oldest first', () => {
    const { fire, skipped } = back('all', 5.5 * hour, 3 * 3600)
    expect(fire.map(({ slot, cause }) => [(slot - noon) / hour, cause])).toEqual([
      [3, 'missed'],
      [4, 'missed'],
      [5, 'missed'],
    ])
    expect(skipped?.count).toBe(2)
  })

  test('all fires no more than a thousand, the newest, and does not count for ever', () => {
    const due = back('all', 300 * day, 365 * 86_400, '*/5 * * * *')
    expect(due.fire).toHaveLength(1001)
    expect(due.fire.at(-1)).toEqual({ slot: noon + 300 * day, cause: 'firing' })
    expect(due.fire[0]).toEqual({ slot: noon + 300 * day - 1000 * 5 * 60_000, cause: 'missed' })
    expect(due.skipped).toMatchObject({ count: 1000, isMore: true })
    expect(due.skipped?.reason).toMatch(/^more than 1000 firings were missed, beside 1000 that are made up for/)
    const soon = performance.now()
    back('skip', 365 * day, 1, '* * * * * *')
    expect(performance.now() - soon).toBeLessThan(2000)
  })
})

describe('dueSlots() with a clock that is set', () => {
  test('goes on after a clock that was a month in the future, and fires no slot twice', () => {
    const one = desk(planOf(), noon - 1)
    one.look(noon)
    one.look(noon + 30 * day + second)
    expect(one.slots()).toEqual([noon, noon + 30 * day])
    expect(one.look(noon + 600 * second).next).toEqual({ slot: noon + hour, at: noon + hour })
    expect(one.look(noon + hour).fire).toEqual([{ slot: noon + hour, cause: 'firing' }])
    for (let at = noon + hour; at < noon + 31 * day; at += hour) one.look(at)
    expect(one.slots()).toHaveLength(31 * 24)
  })

  test('waits after a clock that was put back an hour for what has not been', () => {
    const one = desk(planOf({ schedule: '*/20 * * * *' }), noon - 1)
    for (let at = noon; at <= noon + hour; at += 20 * 60 * second) one.look(at)
    expect(one.look(noon + 1)).toMatchObject({ fire: [], next: { slot: noon + hour + 20 * 60 * second } })
    for (let at = noon; at <= noon + hour; at += 20 * 60 * second) expect(one.look(at)).toMatchObject({ fire: [], skipped: null })
    expect(one.look(noon + hour + 20 * 60 * second).fire).toHaveLength(1)
  })

  test('fires nothing twice when a time service puts the clock back a little, right after a slot', () => {
    const one = desk(planOf(), noon - 1)
    one.look(noon + 1)
    for (const at of [noon - 200, noon - 1, noon, noon + 5, noon + second]) expect(one.look(at).fire).toEqual([])
    expect(one.slots()).toEqual([noon])
  })

  test('latest takes the newest that has passed; if that one has fired, nothing is left', () => {
    const one = desk(planOf({ missed: 'latest' }), noon - 1)
    one.look(noon)
    one.look(noon - 5 * hour)
    expect(one.look(noon + 600 * second).fire).toEqual([])
  })
})

describe('jitterMs()', () => {
  const spec = { name: 'job', jitter_seconds: 600 }

  test('is the same for the same slot, and another for another slot, workload or device', () => {
    const of = (name: string, slot: number, device: string) => jitterMs({ ...spec, name }, slot, null, device)
    expect(of('job', noon, 'pi-1')).toBe(of('job', noon, 'pi-1'))
    expect(
      new Set([of('job', noon, 'pi-1'), of('job', noon + hour, 'pi-1'), of('jab', noon, 'pi-1'), of('job', noon, 'pi-2')]).size,
    ).toBe(4)
  })

  test('is spread over what is asked for, and ends at the next slot', () => {
    const all = Array.from({ length: 1000 }, (_, i) => jitterMs(spec, noon + i * hour, null, 'pi-1'))
    expect(Math.min(...all)).toBeLessThan(10 * second)
    expect(Math.max(...all)).toBeGreaterThan(590 * second)
    expect(Math.max(...all)).toBeLessThan(600 * second)
    for (let i = 0; i < 100; i++)
      expect(jitterMs({ ...spec, jitter_seconds: 86_400 }, noon + i, noon + i + 60, 'pi-1')).toBeLessThan(60)
  })

  test('moves the firing, not the slot, and outlives a restart in between', () => {
    const plan = planOf({ jitter_seconds: 600 })
    const at = plan.dueAt(noon)
    expect(at).toBeGreaterThan(noon)
    const one = desk(plan, noon - 1)
    for (const early of [noon, at - 1]) expect(one.look(early)).toMatchObject({ fire: [], next: { slot: noon, at } })
    expect(one.look(at)).toMatchObject({ fire: [{ slot: noon, cause: 'firing' }], next: { slot: noon + hour } })
  })

  test('brings a slot whose firing lies ahead again, when the clock is put back in between', () => {
    const plan = planOf({ jitter_seconds: 600 })
    const one = desk(plan, noon + 5 * hour)
    one.look(noon + 7 * hour)
    expect(one.look(noon + 1).next).toEqual({ slot: noon, at: plan.dueAt(noon) })
    expect(one.look(plan.dueAt(noon)).fire).toEqual([{ slot: noon, cause: 'firing' }])
  })

  test('brings no slot of before the schedule was known', () => {
    const plan = planOf({ jitter_seconds: 600 })
    const one = desk(plan, noon + 1)
    expect(one.look(noon + 1).next?.slot).toBe(noon + hour)
    expect(one.look(plan.dueAt(noon)).fire).toEqual([])
  })
})

describe('dueSlots() over a year of deaths', () => {
  const schedules = ['17 */3 * * *', '30 2 * * *', '*/20 1-3 * * *', '0 8,20 * * 1-5'] as const
  const policies = ['skip', 'latest', 'all'] as const

  /** When a daemon looks: it sleeps until the next firing, is a little late, and sometimes away for days. */
  const looks = (seed: number, from: number, to: number, look: (at: number) => Due): void => {
    const { below, isLucky } = seeded(seed)
    let now = from
    while (now < to) {
      const { next } = look(now)
      const until = Math.max(now + 1, next?.at ?? to)
      if (isLucky(0.05)) now += below(4 * day)
      else if (isLucky(0.2)) now += below(until - now)
      else now = until + (isLucky(0.1) ? below(10 * 60 * second) : below(50))
    }
    look(now)
  }

  test('each slot fires once, in time or by the policy, and what is dropped is counted', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { pick, isLucky } = seeded(seed)
      const missed = pick(policies)
      const plan = planOf({
        schedule: pick(schedules),
        timezone: pick(['Europe/Berlin', 'Australia/Lord_Howe', 'UTC']),
        missed,
        missed_within_seconds: 2 * 86_400,
        jitter_seconds: isLucky(0.5) ? 1800 : 0,
      })
      const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 5, 1)]
      const one = desk(plan, from)
      const seen: number[] = []
      looks(seed, from, to, (at) => {
        seen.push(at)
        return one.look(at)
      })
      const end = seen.at(-1) ?? to
      const wanted: number[] = []
      let count = 0
      for (let slot = nextSlot(plan, from); slot !== null && plan.dueAt(slot) <= end; slot = nextSlot(plan, slot)) {
        count++
        const at = plan.dueAt(slot)
        const first = seen.find((look) => look >= at) ?? end
        const after = nextSlot(plan, slot)
        const isNewest = after === null || plan.dueAt(after) > first
        const isKept = missed === 'all' || (missed === 'latest' && isNewest)
        if (first - at <= inTimeMs || (isKept && first - at <= 2 * day)) wanted.push(slot)
      }
      expect(one.slots(), `seed ${seed}`).toEqual(wanted)
      expect(one.slots().length + one.skipped(), `seed ${seed}`).toBe(count)
    }
  })

  test('no slot fires twice, and none that a daemon sees pass is lost, however the clock is set', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { pick, below, between, isLucky } = seeded(1000 + seed)
      const plan = planOf({
        schedule: pick(schedules),
        timezone: 'Europe/Berlin',
        missed: pick(policies),
        missed_within_seconds: 86_400,
        jitter_seconds: isLucky(0.5) ? 1800 : 0,
      })
      let now = Date.UTC(2026, 0, 1)
      const one = desk(plan, now)
      let due = one.look(now)
      for (let step = 0; step < 600; step++) {
        if (isLucky(0.03)) {
          now += Math.floor(pick([between(-hour, hour), between(-40 * day, 40 * day), between(-30 * second, 30 * second)]))
          due = one.look(now)
          continue
        }
        const next = nextSlot(plan, now)
        const slot = due.next?.slot ?? now
        // Whatever the plan says is next: nothing that has not been claimed lies before it.
        if (next !== null && next < slot) expect(one.claims.has(next), `seed ${seed}`).toBe(true)
        now = Math.max(now + 1, due.next?.at ?? now) + below(lookAgainMs)
        due = one.look(now)
        if (plan.dueAt(slot) <= now) expect(one.claims.has(slot), `seed ${seed}`).toBe(true)
      }
      expect(one.fired.length).toBeGreaterThan(200)
      expect(new Set(one.slots()).size).toBe(one.fired.length)
    }
  })
})

describe('onOverlap()', () => {
  test('starts where nothing runs and nothing waits', () => {
    for (const policy of ['skip', 'queue', 'replace'] as const) expect(onOverlap(policy, false, 0)).toEqual({ kind: 'start' })
  })

  test('skip drops, replace replaces', () => {
    expect(onOverlap('skip', true, 0)).toEqual({ kind: 'skip', reason: 'the run before it had not ended' })
    expect(onOverlap('replace', true, 0)).toEqual({ kind: 'replace' })
    expect(onOverlap('replace', true, 1)).toEqual({ kind: 'replace' })
  })

  test('queue keeps the order, up to its limit', () => {
    expect(onOverlap('queue', true, 0)).toEqual({ kind: 'queue' })
    expect(onOverlap('queue', false, 1)).toEqual({ kind: 'queue' })
    expect(onOverlap('queue', true, mostQueued - 1)).toEqual({ kind: 'queue' })
    expect(onOverlap('queue', true, mostQueued)).toEqual({ kind: 'skip', reason: '100 firings were waiting already' })
  })
})
