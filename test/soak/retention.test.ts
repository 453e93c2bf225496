import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { fillWithEnded } from '../harness/many-tasks.ts'

const many = Number(process.env['SOAK_TASKS'] ?? 1_000_000)

let fleet: Installation
beforeAll(async () => {
  fleet = await startInstallation()
  await fleet.endUp('SIGTERM')
  fillWithEnded(fleet.data, many, Date.now() - 40 * 86_400_000)
  await fleet.startAgain()
  await fleet.online('local')
}, 300_000)
afterAll(() => fleet?.close())

/** Of the hub: what it has resident, and the worst delay of its loop of late. */
const look = async () => {
  const { body } = await fleet.answered('GET', '/status')
  const status = readFileSync(`/proc/${fleet.pidOf('hub')}/status`, 'utf8')
  return {
    kept: body.tasks.succeeded ?? 0,
    delay: body.loop_delay,
    residentMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
  }
}

test(`${many} old tasks are removed, and meanwhile nobody waits`, async () => {
  // What a start costs is not looked at here.
  await new Promise((resolve) => setTimeout(resolve, 70_000))
  const startedAt = performance.now()
  const before = await look()
  const delays: number[] = []
  const trips: number[] = []
  let last = before
  while (last.kept > trips.length) {
    const at = performance.now()
    await fleet.ended(await fleet.submit({ payload: { command: ['true'] } }))
    trips.push(performance.now() - at)
    last = await look()
    delays.push(last.delay.max_ms)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    if (performance.now() - startedAt > 900_000) break
  }
  const metrics = await (
    await fetch(`${fleet.endpoints.http}/metrics`, { headers: { authorization: `Bearer ${fleet.token}` } })
  ).text()
  console.log(
    metrics
      .split('\n')
      .filter((line) => line.startsWith('skein_commit_seconds'))
      .join('\n'),
  )
  trips.sort((a, b) => a - b)
  console.log({
    before,
    last,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    worstDelayMs: Math.max(...delays),
    p99DelayMs: last.delay.p99_ms,
    taskMs: { p50: trips[trips.length >> 1], most: trips.at(-1) },
  })
  expect(last.kept).toBeLessThanOrEqual(trips.length)
  expect(Math.max(...delays)).toBeLessThan(50)
}, 1_200_000)
