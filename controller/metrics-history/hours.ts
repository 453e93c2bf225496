import type { Heartbeat } from '../../schemas/exchange.ts'

export const minuteMs = 60_000
export const hourOf = (minute: number): number => Math.floor(minute / 60)

/** What is kept of a heartbeat's figures, in the order of the bytes of a minute. */
export const figures = ['cpu_percent', 'memory_percent', 'disk_percent', 'temperature_celsius'] as const

/** One value for each of the figures; null where nothing is known. */
export type Sample = readonly (number | null)[]

/** The figures in a heartbeat, whatever a device claims within the bounds of what can be. */
export const sampleOf = (metrics: NonNullable<Heartbeat['metrics']>): Sample => [
  between(metrics.cpu_percent, 0, 100),
  share(metrics.memory_used_mb, metrics.memory_total_mb),
  share(metrics.disk_used_mb, metrics.disk_total_mb),
  between(metrics.temperature_celsius, -coldest, 254 - coldest),
]

const between = (value: number | null, least: number, most: number): number | null =>
  value === null ? null : Math.min(most, Math.max(least, value))

const share = (used: number | null, total: number | null): number | null =>
  used === null || total === null || !(total > 0) ? null : between((100 * used) / total, 0, 100)

/** The minutes of an hour, packed: a byte for each figure of each minute. */
export type Hour = Uint8Array

const nothing = 255
/** So that a temperature is a byte. */
const coldest = 100
const offsetOf = (figure: number): number => (figure === 3 ? coldest : 0)

export const emptyHour = (): Hour => new Uint8Array(60 * figures.length).fill(nothing)

/** Puts the means of a minute into its hour; what is not known of it leaves what is there. */
export const putMinute = (hour: Hour, minute: number, means: Sample): void =>
  means.forEach((mean, figure) => {
    if (mean !== null) hour[(minute % 60) * figures.length + figure] = Math.round(mean) + offsetOf(figure)
  })

export const valueAt = (hour: Hour, minute: number, figure: number): number | null => {
  const byte = hour[(minute % 60) * figures.length + figure] ?? nothing
  return byte === nothing ? null : byte - offsetOf(figure)
}

/** One hour from two that are known in part; where both know something the newer one counts. */
export const merged = (older: Hour | undefined, newer: Hour | undefined): Hour => {
  const both = emptyHour()
  for (const one of [older, newer])
    for (let i = 0; one && i < both.length; i++) {
      const byte = one[i] ?? nothing
      if (byte !== nothing) both[i] = byte
    }
  return both
}
