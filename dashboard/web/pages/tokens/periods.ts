/** A number that was typed, in units of so many seconds. What is no number is passed on as it is, for the refusal to name it. */
export const secondsIn = (typed: string, unitSeconds: number): number | string => {
  const number = Number(typed.trim().replace(',', '.'))
  return typed.trim() === '' || !Number.isFinite(number) ? typed : Math.round(number * unitSeconds)
}

/** Whether an address leads to the machine that asks, and to no other one. */
export const isLoopback = (url: string): boolean => /^\w+:\/\/(localhost|127\.[\d.]+|\[::1\])(:|\/|$)/i.test(url.trim())
