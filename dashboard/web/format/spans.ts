const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 }

/** The seconds of a length of time as people type it: `30`, `30s`, `1.5 min`, `2h`; undefined for what is none. */
export const secondsOf = (typed: string): number | undefined => {
  const [, count, unit = 's'] = /^(\d+(?:[.,]\d+)?)\s*(s|m|min|h|d)?$/.exec(typed.trim()) ?? []
  const factor = unitSeconds[unit]
  return count === undefined || factor === undefined ? undefined : Number(count.replace(',', '.')) * factor
}
