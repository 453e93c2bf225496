/** What is wrong with a number that was typed, in the units in which it was typed. */
export const faultOfNumber = (typed: string, { most, whole }: { most: number; whole: boolean }): string | undefined => {
  const number = numberIn(typed)
  if (number === undefined || number <= 0) return 'has to be a number above 0'
  if (number > most) return `is at most ${most.toLocaleString('en')}`
  return whole && !Number.isInteger(number) ? 'has to be a whole number' : undefined
}

/** A number that was typed; undefined if it is none. */
export const numberIn = (typed: string): number | undefined => {
  const number = Number(typed.trim().replace(',', '.'))
  return typed.trim() === '' || !Number.isFinite(number) ? undefined : number
}

/** Whether an address leads to the machine that asks, and to no other one. */
export const isLoopback = (url: string): boolean => /^\w+:\/\/(localhost|127\.[\d.]+|\[::1\])(:|\/|$)/i.test(url.trim())
