import { describe, expect, test } from 'vitest'
import { createSearch, placesIn, wantedOf } from '../../dashboard/web/log/log-search.ts'
import { createLogStore } from '../../dashboard/web/log/log-store.ts'
import type { LogRecord } from '../../schemas/log.ts'

const storeOf = (texts: readonly string[]) => {
  const store = createLogStore({ lines: 10_000, chars: 1e9 })
  store.append(texts.map((text, i): LogRecord => [i + 1, 0, 'o', text]))
  return store
}
const expressionOf = (text: string, isExpression = false): RegExp => {
  const wanted = wantedOf(text, isExpression)
  if (!wanted.ok) throw new Error(wanted.reason)
  return wanted.expression
}
const searchAll = (texts: readonly string[], text: string, isExpression = false) => {
  const store = storeOf(texts)
  const search = createSearch(store, expressionOf(text, isExpression))
  while (search.step(1000, () => 0)) {}
  return { store, search }
}

describe('search in a log', () => {
  test('wantedOf() takes words as they are, and tells what is wrong with an expression', () => {
    expect(placesIn('a.c abc A.C', expressionOf('a.c'))).toEqual([
      [0, 3],
      [8, 11],
    ])
    expect(placesIn('a.c abc', expressionOf('a.c', true)).length).toBe(2)
    expect(wantedOf('a(', true)).toMatchObject({ ok: false, reason: expect.stringMatching(/group/i) })
  })

  test('placesIn() finds no end of nothing', () => {
    expect(placesIn('aaa', expressionOf('x*', true))).toEqual([])
  })

  test('createSearch() counts lines, and goes to the next and to the one before, round the ends', () => {
    const { search } = searchAll(['x', 'Error one', 'y', 'error two', 'z', 'ERROR three'], 'error')
    expect(search.count()).toBe(3)
    expect([search.after(-1), search.after(1), search.after(2), search.after(5)]).toEqual([1, 3, 3, 1])
    expect([search.before(5), search.before(3), search.before(1)]).toEqual([3, 1, 5])
    expect([search.rank(3), search.rank(2)]).toEqual([2, 0])
  })

  test('createSearch() finds what is seen: colours within a word do not matter, and are not found', () => {
    expect(searchAll(['\x1b[31mer\x1b[1mror\x1b[0m'], 'error').search.count()).toBe(1)
    expect(searchAll(['\x1b[31mx'], '31').search.count()).toBe(0)
    expect(searchAll(['10 %\r100 %'], '10 %').search.count()).toBe(0)
  })

  test('step() works in slices, and goes on when there are more lines', () => {
    const store = storeOf(Array.from({ length: 5000 }, (_, i) => (i % 10 === 0 ? 'hit' : 'miss')))
    const search = createSearch(store, expressionOf('hit'))
    let time = 0
    let slices = 1
    while (search.step(1, () => time++)) slices++
    expect(slices).toBeGreaterThan(5)
    expect(search.count()).toBe(500)
    store.append([[5001, 0, 'o', 'one more hit']])
    expect(search.step(1000, () => 0)).toBe(false)
    expect(search.count()).toBe(501)
  })

  test('step() finds the last line, and one that goes on as it stands', () => {
    const store = storeOf(['x', 'hit'])
    const search = createSearch(store, expressionOf('hit'))
    search.step(1000, () => 0)
    expect(search.count()).toBe(1)
    store.append([
      [3, 0, 'o', 'hi', 1],
      [4, 0, 'e', 'a hit'],
    ])
    search.step(1000, () => 0)
    expect([search.count(), search.after(1)]).toEqual([2, 3])
    store.append([[5, 0, 'o', 't', 1]])
    search.step(1000, () => 0)
    expect([search.count(), search.after(1), search.after(2)]).toEqual([3, 2, 3])
    store.append([[6, 0, 'o', '\rover']])
    search.step(1000, () => 0)
    expect([search.count(), search.after(1)]).toEqual([2, 3])
  })

  test('count() leaves out what has been let go', () => {
    const { store, search } = searchAll(Array<string>(9000).fill('hit'), 'hit')
    store.append(Array.from({ length: 20_000 }, (_, i): LogRecord => [9001 + i, 0, 'o', 'miss']))
    expect(store.first()).toBeGreaterThan(9000)
    expect(search.count()).toBe(0)
  })
})
