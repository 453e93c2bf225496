/** So many levels of lists and objects may an input have, one in the other: what goes deeper could be neither compared nor written again. */
export const maxDepth = 64

/** Whether a value that was read from JSON has more levels than that. It looks at level after level, so it goes as deep as it has to. */
export const isTooDeep = (value: unknown): boolean => {
  let level = [value].filter(isNest)
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > maxDepth) return true
    level = level.flatMap((one) => Object.values(one).filter(isNest))
  }
  return false
}

const isNest = (value: unknown): value is object => typeof value === 'object' && value !== null
