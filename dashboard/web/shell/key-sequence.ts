/** How long after the first key of two the second one counts. */
const waitMs = 1_200

/** Follows keys that are pressed one after the other, as in `g f`. Returns the sequence that is complete, if one is. */
export const createKeySequence = (known: readonly string[]) => {
  let begun = ''
  let begunAt = 0
  return (key: string, now: number): string | undefined => {
    const sequence = begun !== '' && now - begunAt < waitMs ? `${begun} ${key}` : key
    begun = ''
    if (known.includes(sequence)) return sequence
    // The second key of nothing may be the first of something.
    const first = known.some((one) => one.startsWith(`${sequence} `)) ? sequence : key
    if (known.some((one) => one.startsWith(`${first} `))) {
      begun = first
      begunAt = now
      return undefined
    }
    return first !== sequence && known.includes(first) ? first : undefined
  }
}
