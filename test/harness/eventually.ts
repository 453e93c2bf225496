/** Waits for a fact: calls `look` until what it returns is truthy, and returns that. Says what it waited for, and what it saw last. */
export const eventually = async <T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 20_000,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> => {
  const until = performance.now() + withinMs
  let seen: unknown
  for (let pause = 2; ; pause = Math.min(pause * 2, 50)) {
    try {
      const value = await look()
      // The condition has just excluded what is falsy, which the compiler cannot see for a T.
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>
      seen = value
    } catch (error) {
      seen = error
    }
    if (performance.now() > until) break
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
  const last = seen instanceof Error ? seen.message : JSON.stringify(seen)
  throw new Error(`Waited ${withinMs} ms in vain for ${what}; the last look gave ${last}`, { cause: seen })
}
