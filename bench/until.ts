/** Resolves when it is so; an error after a minute, or as many ms. */
export const until = async (what: string, isSo: () => boolean, withinMs = 60_000): Promise<void> => {
  for (const from = performance.now(); !isSo(); ) {
    if (performance.now() - from > withinMs) throw new Error(`Waited ${withinMs / 1000} s for ${what}`)
    await pause(2)
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
