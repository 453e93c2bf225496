import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openPage, startChromium } from './chromium.ts'
import { type Skein, startSkein } from './installation.ts'
import { rounded } from './statistics.ts'
import type { World } from './world.ts'

const perSecond = 100_000
const forSeconds = 12
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A program that writes 100,000 lines a second, followed by one browser: how fluid its page stays, and what is in the download. */
export const logOnScreen = async (world: World) => {
  const skein = await startSkein(world, { devices: 1 })
  const browser = await startChromium(world)
  const total = perSecond * forSeconds
  const task = await submitted(skein, steadyWriter(total))
  const page = await openPage(browser, skein.endpoints.http, skein.adminToken, `/tasks/${task}`)
  await page.evaluate(`{
    globalThis.framesSeen = []
    let last = performance.now()
    const tick = () => {
      const now = performance.now()
      framesSeen.push(now - last)
      last = now
      requestAnimationFrame(tick)
    }
    requestAnimationFrame(tick)
  }`)
  console.log(`  a log of ${perSecond} lines a second for ${forSeconds} s`)
  const from = performance.now()
  await ended(skein, task)
  const endedMs = performance.now() - from
  await page.getByText(`line ${total}`, { exact: true }).first().waitFor({ timeout: 120_000 })
  const behindMs = performance.now() - from - endedMs
  const frames = await page.evaluate<number[]>('framesSeen')
  const sorted = frames.sort((a, b) => a - b)

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page
      .getByRole('link', { name: /download/i })
      .first()
      .click(),
  ])
  const file = join(world.temp('download'), 'log')
  await download.saveAs(file)
  let lines = 0
  let wrong = 0
  for await (const line of createInterface({ input: createReadStream(file) })) {
    lines++
    if (!line.startsWith(`line ${lines} `) && line !== `line ${lines}`) wrong++
  }
  await page.context().close()
  await skein.up.end()
  const at = (share: number): number =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN, 1)
  return {
    log_lines: total,
    log_lines_per_second: Math.round(total / (endedMs / 1000)),
    log_behind_ms: Math.round(behindMs),
    log_frame_p50_ms: at(0.5),
    log_frame_p99_ms: at(0.99),
    log_worst_frame_ms: at(1),
    log_lines_lost: Math.abs(total - lines) + wrong,
  }
}

/** Writes in step with the clock, a hundredth of a second at a time. */
const steadyWriter = (total: number): string =>
  `let n = 0
const from = Date.now()
const tick = () => {
  const due = Math.min(${total}, Math.floor(((Date.now() - from) / 1000) * ${perSecond}))
  let text = ''
  while (n < due) text += 'line ' + ++n + '\\n'
  const more = () => (n < ${total} ? setTimeout(tick, 10) : undefined)
  if (text === '' || process.stdout.write(text)) more()
  else process.stdout.once('drain', more)
}
tick()`

const submitted = async (skein: Skein, program: string): Promise<string> => {
  const body = JSON.stringify({ payload: { command: [process.execPath, '-e', program] } })
  const headers = { authorization: `Bearer ${skein.adminToken}` }
  const answer = await fetch(`${skein.endpoints.api}/api/v1/tasks`, { method: 'POST', headers, body })
  const { task_id } = (await answer.json()) as { task_id: string } // as the API promises
  return task_id
}

const ended = async (skein: Skein, task: string): Promise<void> => {
  for (let tries = 0; tries < 1000; tries++) {
    const headers = { authorization: `Bearer ${skein.adminToken}` }
    const answer = await fetch(`${skein.endpoints.api}/api/v1/tasks/${task}`, { headers })
    const { state } = (await answer.json()) as { state: string } // as the API promises
    if (state === 'succeeded') return
    if (state !== 'queued' && state !== 'active') throw new Error(`the writer of lines has ended as ${state}`)
    await wait(100)
  }
  throw new Error('the writer of lines does not end')
}
