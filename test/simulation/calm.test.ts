import { test } from 'vitest'
import { liveThrough } from './seeds.ts'

test('where nothing goes wrong no run is doubted, lost, given up or late', { timeout: 300_000 }, () => liveThrough(1, 20, true))
