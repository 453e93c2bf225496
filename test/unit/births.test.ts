import { expect, test } from 'vitest'
import { createBirths } from '../../device/runners/births.ts'

/** Processes as a kernel has them: pid and session. */
const world = () => {
  const table = new Map<number, number>([
    [1, 1],
    [100, 100],
    [101, 100],
  ])
  const state = { mono: 0, last: 101, reads: 0 }
  const births = createBirths({
    mono: () => state.mono,
    lastPid: () => state.last,
    pids: () => [...table.keys()],
    keysOf: (pid) => {
      state.reads++
      const session = table.get(pid)
      return session === undefined ? [] : [String(session)]
    },
  })
  const tick = (ms = 1000): void => {
    state.mono += ms
    births.update()
  }
  return { table, state, births, tick }
}

test('pidsOf() knows who was there before, and who was born since', () => {
  const { table, state, births, tick } = world()
  tick()
  expect(births.pidsOf('100')).toEqual([100, 101])
  table.set(105, 100)
  state.last = 105
  tick()
  expect(births.pidsOf('100')).toEqual([100, 101, 105])
  expect(births.pidsOf('7')).toEqual([])
})

test('update() reads only who is new', () => {
  const { state, tick } = world()
  tick()
  state.reads = 0
  tick()
  tick()
  expect(state.reads).toBe(0)
})

test('update() finds one whose pid was given out before it could be seen', () => {
  const { table, state, births, tick } = world()
  tick()
  state.last = 102
  tick(1)
  table.set(102, 100)
  tick(1)
  expect(births.pidsOf('100')).toContain(102)
})

test('update() reads a pid again that was given out again after pids went once around', () => {
  const { table, state, births, tick } = world()
  tick()
  table.delete(101)
  table.set(101, 55)
  state.last = 32_000
  tick()
  state.last = 101
  tick()
  expect(births.pidsOf('100')).toEqual([100])
  expect(births.pidsOf('55')).toEqual([101])
})

test('update() reads everybody when it was not called for so long that pids may have gone around', () => {
  const { table, births, tick } = world()
  tick()
  table.set(50, 100)
  tick(1000)
  expect(births.pidsOf('100')).not.toContain(50)
  tick(5001)
  expect(births.pidsOf('100')).toContain(50)
})

test('update() forgets who has gone', () => {
  const { table, births, tick } = world()
  tick()
  table.delete(101)
  for (let i = 0; i < 70; i++) tick()
  expect(births.pidsOf('100')).toEqual([100])
})
