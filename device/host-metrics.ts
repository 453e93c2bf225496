import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { arch, hostname, platform } from 'node:os'
import { join } from 'node:path'
import type { Heartbeat } from '../schemas/exchange.ts'

export type HostMetrics = NonNullable<Heartbeat['metrics']>

/**
 * Returns a reader of the machine's metrics. CPU use is that since the last reading, at the first one since boot. What the
 * machine does not tell is null. `folder` is the one whose disk counts; `root` stands for `/` in a test.
 */
export const hostMetricsOf = (folder: string, root = '/'): (() => HostMetrics) => {
  let before: CpuTimes = { busy: 0, total: 0 }
  return () => {
    const stat = readIfThere(join(root, 'proc/stat'))
    const now = stat === undefined ? undefined : cpuTimesIn(stat)
    const cpu = now ? cpuPercent(before, now) : null
    if (now) before = now
    return {
      cpu_percent: cpu,
      ...memoryIn(readIfThere(join(root, 'proc/meminfo')) ?? ''),
      ...diskOf(folder),
      load: numbersIn(readIfThere(join(root, 'proc/loadavg'))).slice(0, 3),
      temperature_celsius: temperatureIn(join(root, 'sys/class/thermal')),
      uptime_seconds: numbersIn(readIfThere(join(root, 'proc/uptime')))[0] ?? 0,
      clock_offset_ms: null,
    }
  }
}

/** What is true of this machine, as labels. */
export const readHostFacts = (): { os: string; arch: string; hostname: string } => ({
  os: labelValue(platform()),
  arch: labelValue(arch()),
  hostname: labelValue(hostname()),
})

/** Makes a text fit to be the value of a label. */
export const labelValue = (text: string): string => text.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 63)

interface CpuTimes {
  busy: number
  total: number
}

/** Reads the first line of /proc/stat: user nice system idle iowait irq softirq steal; the guest's time is in the user's. */
export const cpuTimesIn = (stat: string): CpuTimes | undefined => {
  const line = /^cpu +(.+)$/m.exec(stat)?.[1]
  if (line === undefined) return undefined
  const times = line.split(' ').map(Number).slice(0, 8)
  const total = times.reduce((sum, time) => sum + time, 0)
  return { busy: total - (times[3] ?? 0) - (times[4] ?? 0), total }
}

/** The share of the time between two readings in which the processors worked; null if no time has passed. */
export const cpuPercent = (before: CpuTimes, now: CpuTimes): number | null => {
  const total = now.total - before.total
  if (total <= 0) return null
  // The kernel's idle counters can step back a little, so the share may leave its bounds.
  return round(Math.min(100, Math.max(0, (100 * (now.busy - before.busy)) / total)))
}

/** Reads /proc/meminfo. Used is what is not available: caches can be had back. */
export const memoryIn = (meminfo: string): { memory_used_mb: number | null; memory_total_mb: number | null } => {
  const total = kilobytesIn(meminfo, 'MemTotal')
  const available = kilobytesIn(meminfo, 'MemAvailable')
  return {
    memory_used_mb: total === undefined || available === undefined ? null : Math.round((total - available) / 1024),
    memory_total_mb: total === undefined ? null : Math.round(total / 1024),
  }
}

const kilobytesIn = (meminfo: string, name: string): number | undefined => {
  const text = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1]
  return text === undefined ? undefined : Number(text)
}

const diskOf = (folder: string): { disk_used_mb: number | null; disk_total_mb: number | null } => {
  try {
    const { blocks, bfree, bsize } = statfsSync(folder)
    return { disk_used_mb: megabytes((blocks - bfree) * bsize), disk_total_mb: megabytes(blocks * bsize) }
  } catch {
    // A folder that is not there, a file system that keeps no count: null says so, and the heartbeat has to go out anyway.
    return { disk_used_mb: null, disk_total_mb: null }
  }
}

/** The hottest zone: what throttles a machine first. */
const temperatureIn = (thermal: string): number | null => {
  const zones = namesIn(thermal).filter((name) => name.startsWith('thermal_zone'))
  const degrees = zones.flatMap((zone) => numbersIn(readIfThere(join(thermal, zone, 'temp')))).map((milli) => milli / 1000)
  // Sensors that are not connected say 0, or what cannot be.
  const plausible = degrees.filter((degree) => degree > -60 && degree < 200 && degree !== 0)
  return plausible.length === 0 ? null : round(Math.max(...plausible))
}

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch {
    // Virtual machines and containers have no such folder.
    return []
  }
}

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // Not every kernel has every file, and a sensor may refuse to be read: the metric is missing then.
    return undefined
  }
}

const numbersIn = (text: string | undefined): number[] =>
  (text ?? '')
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number)
    .filter(Number.isFinite)

const megabytes = (bytes: number): number => Math.round(bytes / 1024 / 1024)
const round = (value: number): number => Math.round(value * 10) / 10
