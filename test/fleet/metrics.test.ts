import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/free-port.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

let fleet: Installation
let devicePort: number
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-metrics-'))
  devicePort = await freePort()
  fleet = await startInstallation()
  await fleet.online('local')
})
afterAll(async () => {
  await fleet?.close()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

/** The scrape that docs/operations.md shows, as Prometheus would do it, at the address of this installation. */
const scrapeAsDocumented = async (): Promise<Response> => {
  const page = readFileSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8')
  const block = /```yaml\n(scrape_configs:[\s\S]*?)```/.exec(page)?.[1] ?? ''
  const [job] = parse(block).scrape_configs
  expect(job.static_configs[0].targets).toEqual(['127.0.0.1:8080'])
  const tokenFile = job.authorization.credentials_file.replace('/var/lib/skein', fleet.data)
  return fetch(new URL(job.metrics_path, fleet.endpoints.http), {
    headers: { authorization: `${job.authorization.type} ${readFileSync(tokenFile, 'utf8').trim()}` },
  })
}

const sampleOf = (text: string, sample: string): number =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${sample} `))
      ?.slice(sample.length + 1),
  )

describe('/metrics', () => {
  test('is read as the documentation says, and every line is one that Prometheus takes', async () => {
    await fleet.ended(await fleet.submit({ payload: { command: ['true'] } }))
    const response = await scrapeAsDocumented()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    const text = await response.text()
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(
        /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (-?[0-9.]+(e[+-]?\d+)?|\+Inf))$/,
      )
    expect(sampleOf(text, 'skein_tasks_total{state="succeeded"}')).toBeGreaterThan(0)
    expect(sampleOf(text, 'skein_dispatch_seconds_count')).toBeGreaterThan(0)
    expect(sampleOf(text, 'skein_mqtt_connections')).toBeGreaterThan(0)
    expect(sampleOf(text, 'skein_devices{state="online"}')).toBe(1)
    expect(sampleOf(text, 'skein_store_bytes{database="controller"}')).toBeGreaterThan(4096)
    expect(sampleOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(20e6)
  })

  test('wants a token of somebody who may read', async () => {
    expect((await fetch(`${fleet.endpoints.http}/metrics`)).status).toBe(401)
    const device = readFileSync(fleet.paths.device('local').token, 'utf8').trim()
    const asDevice = await fetch(`${fleet.endpoints.http}/metrics`, { headers: { authorization: `Bearer ${device}` } })
    expect(asDevice.status).toBe(403)
  })

  test('of a device are read by the local socket, and at a port of its own where one is set', async () => {
    const local = await fleet.cli(['local', 'metrics', '--device', 'local'])
    expect(local).toMatchObject({ code: 0, stderr: '' })
    expect(sampleOf(local.stdout, 'skein_device_connected')).toBe(1)
    const token = await fleet.tokenFor('extra', 'device')
    await fleet.startDevice('extra', fleet.endpoints.mqtt, token, { SKEIN_METRICS_PORT: String(devicePort) })
    const text = await eventually('metrics of the other device', async () =>
      (await fetch(`http://127.0.0.1:${devicePort}/metrics`)).text(),
    )
    expect(sampleOf(text, 'skein_build_info{part="device",version="0.1.0"}')).toBe(1)
  })
})

describe('skein status', () => {
  test('tells uptime, sizes and the delay of the loop', async () => {
    const { code, stdout } = await fleet.cli(['status'])
    expect(code).toBe(0)
    for (const line of [
      /^up +\d/m,
      /^databases +tasks [\d.]+ MB, logs [\d.]+ MB$/m,
      /^disk +[\d.]+ [MG]B free$/m,
      /^loop delay +p50 /m,
    ])
      expect(stdout).toMatch(line)
    const json = JSON.parse((await fleet.cli(['status', '--json'])).stdout)
    expect(json.sizes.controller_bytes).toBeGreaterThan(4096)
    expect(json.loop_delay.max_ms).toBeGreaterThanOrEqual(0)
    expect(json.damage).toEqual([])
  })
})
