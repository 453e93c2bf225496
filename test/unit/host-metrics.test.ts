import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cpuPercent, cpuTimesIn, hostMetricsOf, labelValue, memoryIn, readHostFacts } from '../../device/host-metrics.ts'
import { Heartbeat } from '../../schemas/exchange.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skein-host-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const write = (name: string, text: string): void => {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), text)
}

test('hostMetricsOf() reads this machine in the shape of a heartbeat', () => {
  const metrics = hostMetricsOf(tmpdir())()
  expect(Heartbeat.shape.metrics.safeParse(metrics).success).toBe(true)
  expect(metrics.memory_total_mb).toBeGreaterThan(0)
  expect(metrics.disk_total_mb).toBeGreaterThan(0)
  expect(metrics.load).toHaveLength(3)
  expect(metrics.uptime_seconds).toBeGreaterThan(0)
})

test('hostMetricsOf() counts the CPU from one reading to the next', () => {
  write('proc/stat', 'cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4\n')
  const read = hostMetricsOf(root, root)
  expect(read().cpu_percent).toBe(20)
  write('proc/stat', 'cpu  175 0 100 725 100 0 0 0 0 0\n')
  expect(read().cpu_percent).toBe(75)
  expect(read().cpu_percent).toBeNull()
})

test('hostMetricsOf() gives null for what is not there', () => {
  expect(hostMetricsOf(join(root, 'nowhere'), root)()).toEqual({
    cpu_percent: null,
    memory_used_mb: null,
    memory_total_mb: null,
    disk_used_mb: null,
    disk_total_mb: null,
    load: [],
    temperature_celsius: null,
    uptime_seconds: 0,
    clock_offset_ms: null,
  })
})

test('hostMetricsOf() tells the hottest zone and passes over sensors that are not connected', () => {
  write('sys/class/thermal/thermal_zone0/temp', '41250\n')
  write('sys/class/thermal/thermal_zone1/temp', '56789\n')
  write('sys/class/thermal/thermal_zone2/temp', '0\n')
  write('sys/class/thermal/thermal_zone3/temp', '-274000\n')
  write('sys/class/thermal/cooling_device0/temp', '99000\n')
  expect(hostMetricsOf(root, root)().temperature_celsius).toBe(56.8)
})

test('cpuTimesIn() does not count the guest twice, and idle as work', () => {
  expect(cpuTimesIn('cpu  10 1 2 30 4 5 6 7 8 9\n')).toEqual({ busy: 31, total: 65 })
  expect(cpuTimesIn('intr 1 2')).toBeUndefined()
})

test('cpuPercent() stays within 0 and 100 when a counter steps back', () => {
  expect(cpuPercent({ busy: 10, total: 100 }, { busy: 9, total: 200 })).toBe(0)
})

test('memoryIn() takes what is available for free', () => {
  const text = 'MemTotal:        2048000 kB\nMemFree:   10 kB\nMemAvailable:    1024000 kB\n'
  expect(memoryIn(text)).toEqual({ memory_used_mb: 1000, memory_total_mb: 2000 })
})

test('labelValue() keeps what a selector can name', () => {
  expect(labelValue('Pi 4 (Küche).local')).toBe('Pi-4--K-che-.local')
  expect(labelValue('x'.repeat(100))).toHaveLength(63)
  for (const value of Object.values(readHostFacts())) expect(value).toMatch(/^[A-Za-z0-9._-]{0,63}$/)
})
