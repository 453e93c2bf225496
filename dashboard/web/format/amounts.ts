/** A duration in its two largest units: `310 ms`, `2.5 s`, `12 s`, `3 min 5 s`, `2 h 4 min`, `3 d 4 h`. */
export const durationText = (seconds: number): string => {
  if (seconds > 0 && seconds < 0.9995) return `${Math.max(1, Math.round(seconds * 1000))} ms`
  if (seconds < 10) return `${Number(Math.max(0, seconds).toFixed(1))} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return pair(Math.floor(whole / 60), 'min', whole % 60, 's')
  if (whole < 86_400) return pair(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min')
  return pair(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3600), 'h')
}

const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`

/** A size with a unit that fits, in powers of 1000: `0 B`, `12 kB`, `3.4 MB`. */
export const bytesText = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : Number(value.toFixed(1))} ${units[unit]}`
}

/** A size that is told in MiB, as every field with `_mb` is. */
export const mibText = (mib: number): string => bytesText(mib * 1024 * 1024)

/** A number as people write it: `12,345`. */
export const countText = (count: number): string => count.toLocaleString('en')

/** `1 device`, `12 devices`. */
export const plural = (count: number, one: string, many = `${one}s`): string => `${countText(count)} ${count === 1 ? one : many}`
