import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBentClock, faketimeLibrary } from '../harness/bent-clock.ts'
import { eventually } from '../harness/eventually.ts'
import { type LoneDevice, linesOf, startLoneDevice } from '../harness/lone-device.ts'

const library = faketimeLibrary()
const day = 86_400

let folder: string
let clock: ReturnType<typeof createBentClock>
let device: LoneDevice | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-clock-'))
  clock = createBentClock(library ?? '', join(folder, 'offset'))
})
afterEach(async () => {
  await device?.close()
  device = undefined
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(library === undefined)('the wall clock is set while workloads run', () => {
  test('forward 30 days, back to right, back a day: services are untouched, restarts keep their delay, no slot fires twice, no schedule is dead', async () => {
    device = await startLoneDevice({ env: clock.env })
    const { get, apply, write, root } = device
    const witness = (name: string): string[] => linesOf(join(root, name))
    const ticking = (name: string, schedule: string, missed: string) => ({
      ...{
        name,
        type: 'script',
        run_mode: 'schedule',
        schedule,
        timezone: 'UTC',
        overlap: 'queue',
        missed,
        missed_within_seconds: 90,
      },
      command: ['sh', '-c', 'echo $SKEIN_SLOT >>"$0"', join(root, name)],
    })
    // What starts again tells by the kernel's clock when it did.
    const crashing = 'date +%s.%N >>"$0"; sleep 0.1; exit 1'
    write([
      { name: 'steady', command: ['sh', '-c', 'echo $$ >>"$0"; exec sleep 10000', join(root, 'steady')] },
      {
        name: 'crasher',
        command: ['sh', '-c', crashing, join(root, 'crasher')],
        restart: { delay_seconds: 0.5, max_delay_seconds: 0.5, jitter: 0, crash_loop: false },
      },
      // What comes together after a jump is not worked off one by one: it is to show what fires now.
      { ...ticking('tick', '* * * * * *', 'skip'), overlap: 'skip' },
      ...['skip', 'latest', 'all'].map((missed) => ticking(missed, '*/5 * * * * *', missed)),
    ])
    await apply()
    const { pid } = await device.when('running', 'steady', ({ state }) => state === 'running')

    /** It fires for the time that the clock shows now, and says so. */
    const firesNow = async (): Promise<void> => {
      const from = clock.now()
      await eventually(
        'a firing of now',
        () => witness('tick').some((slot) => Math.abs(Date.parse(slot) - clock.now()) < 3000 && Date.parse(slot) > from),
        20_000,
      )
      const { runs, next_at } = await get('tick', 1)
      expect(
        Math.abs(Date.parse(runs[0]?.slot ?? '') - clock.now()),
        `the newest run is shown first: ${JSON.stringify(runs[0])}`,
      ).toBeLessThan(5000)
      if (next_at !== null) expect(Math.abs(Date.parse(next_at) - clock.now())).toBeLessThan(5000)
    }
    await firesNow()

    clock.set(30 * day)
    await firesNow()
    // Of the last minute each is one in time; what was missed before, only one of them makes up for.
    await eventually('the jump was noticed', () => ['skip', 'latest', 'all'].every((name) => witness(name).length >= 12), 10_000)
    const causes = async (name: string): Promise<number> =>
      (await get(name, 100)).runs.filter(({ cause, slot }) => cause === 'missed' && slot !== null).length
    await eventually('what was missed is made up for', async () => (await causes('all')) >= 5)
    expect([await causes('skip'), await causes('latest')]).toEqual([0, 0])
    expect(await causes('all')).toBeLessThanOrEqual(7)
    await device.kill9()
    await device.start()
    await firesNow()

    clock.set(0)
    await firesNow()
    clock.set(-day)
    await firesNow()
    await device.kill9()
    clock.set(0)
    await device.start()
    await firesNow()

    expect(await get('steady')).toMatchObject({ state: 'running', pid, run_count: 1 })
    expect(witness('steady')).toHaveLength(1)
    for (const name of ['tick', 'skip', 'latest', 'all']) {
      const slots = witness(name)
      expect(new Set(slots).size, `${name}: ${slots}`).toBe(slots.length)
    }
    const starts = witness('crasher').map(Number)
    const waits = starts.slice(1).map((at, i) => at - (starts[i] ?? 0))
    expect(Math.min(...waits), `seconds from start to start: ${waits}`).toBeGreaterThan(0.58)
    // Twice there was no daemon for a while, and a busy machine takes its time; a delay by the wall clock would be days.
    expect(Math.max(...waits)).toBeLessThan(30)
  })
})
