import { firstPaintMs, openPage, startChromium } from './chromium.ts'
import { logOnScreen } from './dashboard-log.ts'
import { type Skein, startSkein } from './installation.ts'
import { openMqttClient } from './mqtt-client.ts'
import type { BenchPart } from './part.ts'
import { startDevices } from './queues.ts'
import { cpuSeconds, percentile, printTable, residentMb, rounded } from './statistics.ts'
import type { World } from './world.ts'

const deviceCount = Number(process.env['BENCH_DEVICES'] ?? 5000)
const overviews = 40
const fleets = 10
const watchMs = 30_000
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Many devices and many browsers: what the dashboard costs, and how soon something that happens is on a screen. */
export const dashboard: BenchPart = {
  about: `${deviceCount} devices with a heartbeat each 10 s, ${overviews + fleets} browsers, a log of 100,000 lines a second`,
  run: async (world) => {
    const crowd = await manyBrowsers(world)
    const log = await logOnScreen(world)
    const musts: [string, number, number][] = [
      ['overview, kB/s to each browser', crowd.overview_kb_per_second, 30],
      ['publish to screen, p99 ms', crowd.screen_p99_ms, 500],
      ['first paint, ms', crowd.first_paint_ms, 1000],
      ['log: worst frame, ms', log.log_worst_frame_ms, 250],
      ['log: lines lost in the download', log.log_lines_lost, 1],
    ]
    printTable([['', 'found', 'must'], ...musts.map(([what, found, must]) => [what, rounded(found), `< ${must}`])])
    return {
      // The tightest of them: how many times it could grow before it were too much.
      ratio: rounded(Math.min(...musts.map(([, found, must]) => must / Math.max(found, must / 100)))),
      must: 1,
      ...crowd,
      ...log,
    }
  },
}

const manyBrowsers = async (world: World) => {
  const skein = await startSkein(world, { env: { SKEIN_HEARTBEAT_SECONDS: '10', SKEIN_CONNECTIONS_PER_ADDRESS: '20000' } })
  const { http } = skein.endpoints
  console.log(`  ${deviceCount} devices connect`)
  await startDevices(world, skein, { count: deviceCount, capacity: 4, spreadMs: 20_000 })
  await wait(12_000)
  const alone = await cost(skein)

  const views = [...Array<string>(overviews).fill('overview'), ...Array<string>(fleets).fill('fleet')]
  const program = world.program('browsers', { http, token: skein.adminToken, views })
  const { openMs } = await program.next('ready', 60_000)
  console.log(`  ${views.length} browsers have the whole picture after ${openMs} ms; watching, with 10 tasks a second`)
  const submitting = setInterval(() => void submit(skein), 100)
  await wait(5000)
  program.send({ kind: 'begin' })
  const watched = await cost(skein)
  const told = program.next('told')
  program.send({ kind: 'tell' })
  const figures = (await told)['figures'] as { view: string; worstBytesPerSecond: number; framesPerSecond: number }[]
  clearInterval(submitting)
  const of = (view: string) => figures.find((one) => one.view === view)

  const browser = await startChromium(world)
  const delays = await delaysToScreen(world, skein, browser)
  const page = await openPage(browser, http, skein.adminToken, '/')
  const paintMs = await firstPaintMs(page)
  await page.context().close()
  await program.end()
  await skein.up.end()
  return {
    devices: deviceCount,
    browsers: views.length,
    hub_cores_alone: rounded(alone.cores, 3),
    hub_cores: rounded(watched.cores, 3),
    hub_mb_alone: Math.round(alone.mb),
    hub_mb: Math.round(watched.mb),
    open_all_ms: openMs as number,
    overview_kb_per_second: rounded((of('overview')?.worstBytesPerSecond ?? Number.NaN) / 1000),
    overview_frames_per_second: rounded(of('overview')?.framesPerSecond ?? Number.NaN),
    fleet_kb_per_second: rounded((of('fleet')?.worstBytesPerSecond ?? Number.NaN) / 1000),
    screen_p50_ms: Math.round(percentile(delays, 50)),
    screen_p99_ms: Math.round(percentile(delays, 99)),
    first_paint_ms: Math.round(paintMs),
  }
}

const cost = async (skein: Skein): Promise<{ cores: number; mb: number }> => {
  const pid = skein.pidOf('hub')
  const cpu = cpuSeconds(pid)
  await wait(watchMs)
  return { cores: (cpuSeconds(pid) - cpu) / (watchMs / 1000), mb: residentMb(pid) }
}

const submit = async (skein: Skein): Promise<void> => {
  const body = JSON.stringify({ payload: { command: ['true'] } })
  await fetch(`${skein.endpoints.api}/api/v1/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${skein.adminToken}` },
    body,
  })
}

/** A device publishes a figure; the page of this device shows it. Both by this machine's clock. */
const delaysToScreen = async (
  world: World,
  skein: Skein,
  browser: Awaited<ReturnType<typeof startChromium>>,
): Promise<number[]> => {
  const name = 'sim-1'
  const page = await openPage(browser, skein.endpoints.http, skein.adminToken, `/fleet/${name}`)
  await page.evaluate(`{
    globalThis.seenOnScreen = {}
    const look = () => {
      const found = /(\\d{3,}) °C/.exec(document.body.innerText.replaceAll(',', ''))?.[1]
      if (found !== undefined) seenOnScreen[found] ??= Date.now()
    }
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
  }`)
  const topic = `skein/v1/default/device/${name}/heartbeat`
  const client = await openMqttClient({
    url: skein.endpoints.mqtt,
    clientId: '',
    token: await skein.tokenFor(name, 'device'),
    onMessage: () => undefined,
  })
  world.own(() => client.destroy())
  const sentAt = new Map<string, number>()
  for (let figure = 100; figure < 300; figure++) {
    const at = Date.now()
    sentAt.set(String(figure), at)
    const metrics = { ...emptyMetrics, temperature_celsius: figure }
    client.publish(
      topic,
      JSON.stringify({ session: 1, at: new Date(at).toISOString(), mono_ms: performance.now(), running: [], metrics }),
    )
    await wait(300 + Math.random() * 200)
  }
  await wait(1000)
  const seen = await page.evaluate<Record<string, number>>('seenOnScreen')
  await page.context().close()
  const delays = [...sentAt].flatMap(([figure, at]) => (seen[figure] === undefined ? [] : [seen[figure] - at]))
  if (delays.length < sentAt.size * 0.95)
    throw new Error(`only ${delays.length} of ${sentAt.size} figures were seen on the screen`)
  return delays
}

const emptyMetrics = {
  cpu_percent: null,
  memory_used_mb: null,
  memory_total_mb: null,
  disk_used_mb: null,
  disk_total_mb: null,
  load: [],
  uptime_seconds: 1,
  clock_offset_ms: null,
}
