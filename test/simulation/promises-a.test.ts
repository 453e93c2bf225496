import { test } from 'vitest'
import { liveThrough, seedsOf } from './seeds.ts'

const { first, count } = seedsOf(1, 60)

test(`the promises hold in ${count} simulated fleets from seed ${first} on`, { timeout: 600_000 }, () =>
  liveThrough(first, count),
)
