import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type LoneDevice, linesOf, startLoneDevice } from '../harness/lone-device.ts'
import { canMount, mountSmallDisk, type SmallDisk } from '../harness/small-disk.ts'

let device: LoneDevice | undefined
afterEach(async () => {
  await device?.close()
  device = undefined
})

const startOn = async (megabytes: number, files?: number): Promise<{ device: LoneDevice; disk: SmallDisk; witness: string }> => {
  let disk: SmallDisk | undefined
  device = await startLoneDevice({
    mount: (folder) => {
      disk = mountSmallDisk(folder, megabytes, files)
      return disk
    },
  })
  if (!disk) throw new Error('the harness has not called mount')
  return { device, disk, witness: join(device.root, 'witness') }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A program that writes a line to the witness of its name every tenth of a second. */
const beating = (witness: string, then = ''): string[] => [
  'sh',
  '-c',
  `while :; do echo $$ >>"$0"; ${then} sleep 0.1; done`,
  witness,
]

const workloads = (witness: string) => [
  { name: 'steady', command: beating(`${witness}.steady`) },
  // 40 KB a second, after 4 MB at once.
  {
    name: 'talker',
    command: [
      'sh',
      '-c',
      'pad=$(printf %0190d 0); i=0; while :; do i=$((i+1)); echo $i $pad; [ $i -lt 20000 ] || { [ $((i%20)) != 0 ] || { sleep 0.1; echo $i >>"$0"; }; }; done',
      `${witness}.talker`,
    ],
  },
  {
    name: 'crasher',
    command: ['sh', '-c', 'echo $$ >>"$0"; sleep 0.2; exit 3', `${witness}.crasher`],
    restart: { delay_seconds: 0.1, max_delay_seconds: 0.3, crash_loop: false },
    files: [{ path: 'config', content: 'x'.repeat(5000) }],
  },
  {
    ...{ name: 'tick', type: 'script', run_mode: 'schedule', schedule: '* * * * * *', overlap: 'queue', missed: 'all' },
    command: ['sh', '-c', 'echo $SKEIN_SLOT >>"$0"', `${witness}.tick`],
  },
]

/** Asks all the time: every question is answered, or the client gives up and throws. */
const askFor = async (device: LoneDevice, ms: number, meanwhile: () => void): Promise<void> => {
  for (const until = performance.now() + ms; performance.now() < until; ) {
    meanwhile()
    expect((await device.ask('list')).workloads.length).toBeGreaterThan(2)
    await device.ask('status')
    await device.get('crasher')
    await pause(20)
  }
}

const isRefused = async (device: LoneDevice): Promise<boolean> => {
  // What changes or removes something is taken all the same: it may be what makes room.
  const another = join(device.root, 'another.yaml')
  writeFileSync(another, 'name: another\ntype: service\nrun_mode: forever\ncommand: "true"\n')
  try {
    await device.ask('apply', { paths: [another], dry_run: true })
    return false
  } catch (error) {
    expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('disk_full') })
    return true
  }
}

/** A daemon that is killed while there is no room is followed by one that answers, and knows what runs. */
const startsAnew = async (device: LoneDevice, fill: () => void): Promise<void> => {
  const { pid } = await device.get('steady')
  await device.kill9()
  fill()
  await device.start()
  expect(await device.get('steady')).toMatchObject({ state: 'running', pid })
  await askFor(device, 1500, fill)
}

const goesOn = (file: string, withinMs = 10_000): Promise<unknown> => {
  const before = linesOf(file).length
  return eventually(`more in ${file}`, () => linesOf(file).length > before, withinMs)
}

/** What has ended stays as it was told; nothing fired twice; nobody lives twice. */
const judge = async (device: LoneDevice, witness: string, told: { run_id: string; ended_at: string | null }[]): Promise<void> => {
  const now = (await device.get('crasher', 1000)).runs
  const kept = new Set(now.map((run) => run.run_id))
  for (const run of told) if (run.ended_at !== null && kept.has(run.run_id)) expect(now).toContainEqual(run)
  // So many are remembered.
  if (now.length < 200) expect(told.every((run) => kept.has(run.run_id))).toBe(true)
  const failed = (await device.get('tick', 1000)).runs.filter((run) => run.ended_at !== null && run.state !== 'succeeded')
  expect(failed, 'no firing has failed').toEqual([])
  const slots = linesOf(`${witness}.tick`)
  expect(new Set(slots).size).toBe(slots.length)
  const times = slots.map((slot) => Date.parse(slot)).sort((a, b) => a - b)
  expect(times.length, 'each slot has fired').toBe(((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000 + 1)
  expect(new Set(linesOf(`${witness}.steady`)).size, 'the steady one is the process that it was').toBe(1)
}

describe.skipIf(!canMount())('workloads on a disk of 8 MB', () => {
  test('filled and freed: it answers, services go on, new work is refused, the newest lines are kept, and all goes on by itself', async () => {
    const { device, disk, witness } = await startOn(8)
    device.write(workloads(witness))
    await device.apply()
    await eventually('all of them work', () =>
      ['steady', 'talker', 'crasher', 'tick'].every((name) => linesOf(`${witness}.${name}`).length > 1),
    )
    const { runs } = await device.get('crasher', 1000)
    // Whatever the device makes room of is taken again at once.
    await askFor(device, 3000, disk.fill)
    expect(await isRefused(device)).toBe(true)
    expect(await device.ask('status')).toMatchObject({ takes_nothing_new: expect.stringContaining('disk_full') })
    await goesOn(`${witness}.steady`)
    await startsAnew(device, disk.fill)

    disk.free()
    await Promise.all([goesOn(`${witness}.crasher`), goesOn(`${witness}.tick`), goesOn(`${witness}.talker`)])
    await eventually('it takes new work', async () => !(await isRefused(device)))
    device.write([...workloads(witness), { name: 'late', command: beating(`${witness}.late`) }])
    expect(await device.apply()).toMatchObject({ added: ['late'], restarted: [] })
    await goesOn(`${witness}.late`)
    await judge(device, witness, runs)

    const [first, ...rest] = await device.records('talker')
    expect(first?.[3]).toMatchObject({ dropped: { from: 1 } })
    const numbers = rest.flatMap(([, , stream, text]) => (stream === 'o' ? [Number.parseInt(String(text), 10)] : []))
    const steps = numbers.slice(1).map((number, i) => number - (numbers[i] ?? 0))
    const holes = steps.filter((step) => step !== 1)
    // What the daemon had read and found no room for was lost with it when it was killed: one read, and the program waited after that.
    expect(holes.length, `lines that are missing in between: ${holes}`).toBeLessThanOrEqual(1)
    const dropped = first?.[3] as { dropped: { lines: number } } // it has just been looked at
    const lost = (numbers[0] ?? 0) - 1 - dropped.dropped.lines + (holes[0] ?? 1) - 1
    expect(lost, 'what has gone is counted but for that').toBeGreaterThanOrEqual(0)
    expect(lost * 190).toBeLessThanOrEqual(65_536)
  })

  test('without room the service that keeps silent is stopped and started by hand, and nobody waits for the disk', async () => {
    const { device, disk, witness } = await startOn(8)
    device.write(workloads(witness).filter(({ name }) => name === 'steady'))
    await device.apply()
    await goesOn(`${witness}.steady`)
    disk.fill()
    await eventually('it is noticed', async () => {
      disk.fill()
      return isRefused(device)
    })
    expect(await device.ask('stop', { workload: 'steady' })).toMatchObject({ state: 'stopped', pid: null })
    expect(device.processes()).toEqual([])
    await device.ask('start', { workload: 'steady' })
    disk.free()
    await goesOn(`${witness}.steady`)
    expect(await device.get('steady')).toMatchObject({ state: 'running' })
  })

  test('without inodes: the same, and what could not begin is tried again until it can', async () => {
    const { device, disk, witness } = await startOn(8, 600)
    device.write(workloads(witness).filter(({ name }) => name !== 'talker'))
    await device.apply()
    await eventually('all of them work', () =>
      ['steady', 'crasher', 'tick'].every((name) => linesOf(`${witness}.${name}`).length > 1),
    )
    const { runs } = await device.get('crasher', 1000)
    await askFor(device, 2500, disk.fillFiles)
    expect(await isRefused(device)).toBe(true)
    await goesOn(`${witness}.steady`)
    await startsAnew(device, disk.fillFiles)
    disk.free()
    await Promise.all([goesOn(`${witness}.crasher`), goesOn(`${witness}.tick`)])
    await eventually('it takes new work', async () => !(await isRefused(device)))
    await judge(device, witness, runs)
    expect((await device.get('crasher', 1000)).runs.filter((run) => run.ended_at !== null && run.exit_code !== 3)).toEqual([])
  })
})
