import { randomBytes } from 'node:crypto'

/** Chance and new names, passed in so that a test can replay them from a seed. */
export interface Chance {
  /** A number in [0, 1). */
  random(): number
  /** A new ULID in lower case: sorts by `now`, then by chance. */
  ulid(now: number): string
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

export const chanceFrom = (bytes: (count: number) => Uint8Array): Chance => {
  let lastAt = 0
  let lastTime = ''
  let counter = 0
  return {
    random: () => {
      const view = bytes(4)
      return (((view[0] ?? 0) << 24) | ((view[1] ?? 0) << 16) | ((view[2] ?? 0) << 8) | (view[3] ?? 0)) / 4_294_967_296 + 0.5
    },
    // Rises within one process even when the clock does not: the first two characters of the random part count up within a millisecond.
    ulid: (now) => {
      const at = Math.max(now, lastAt)
      counter = at === lastAt ? counter + 1 : 0
      if (at !== lastAt) lastTime = timeOf(at)
      lastAt = at
      let count = ''
      for (let rest = counter, i = 0; i < 4; i++, rest = Math.floor(rest / 32)) count = (alphabet[rest % 32] ?? '0') + count
      let tail = ''
      for (const byte of bytes(12)) tail += alphabet[byte % 32] ?? '0'
      return lastTime + count + tail
    },
  }
}

const timeOf = (at: number): string => {
  let time = ''
  for (let rest = at, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = (alphabet[rest % 32] ?? '0') + time
  return time
}

/** Random bytes are drawn from the system by the block: a call for each name would cost more than all the rest of it. */
const drawn = (): ((count: number) => Uint8Array) => {
  let block = Buffer.alloc(0)
  return (count) => {
    if (block.length < count) block = randomBytes(Math.max(4096, count))
    const bytes = block.subarray(0, count)
    block = block.subarray(count)
    return bytes
  }
}

export const systemChance: Chance = chanceFrom(drawn())
