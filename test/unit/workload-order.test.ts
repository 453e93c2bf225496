import { describe, expect, test } from 'vitest'
import { blockedBy, type DependencyStatus, startOrder } from '../../device/workloads/order.ts'
import type { Dependency } from '../../schemas/workload.ts'
import { seeded } from '../harness/seeded.ts'

const of = (name: string, ...wanted: string[]) => ({
  name,
  depends_on: wanted.map((other): Dependency => ({ name: other, condition: 'healthy' })),
})
const on = (condition: Dependency['condition']) => ({ name: 'app', depends_on: [{ name: 'db', condition }] })
const db = (status: Partial<DependencyStatus>): DependencyStatus => ({
  run_mode: 'forever',
  state: 'running',
  health: null,
  hasSucceeded: false,
  ...status,
})

describe('startOrder()', () => {
  test('puts each after what it depends on, and else keeps the order', () => {
    expect(startOrder([of('web', 'app'), of('b'), of('app', 'db', 'cache'), of('cache'), of('db')])).toEqual({
      order: ['db', 'cache', 'app', 'web', 'b'],
      stuck: new Map(),
    })
  })

  test('says which wait for one that is not there, and places them', () => {
    expect(startOrder([of('app', 'db'), of('web', 'app')])).toEqual({
      order: ['app', 'web'],
      stuck: new Map([['app', 'waits for "db", which is not there']]),
    })
  })

  test('names a cycle to each that is in it, and to none else', () => {
    const { order, stuck } = startOrder([of('x', 'a'), of('a', 'b'), of('b', 'c'), of('c', 'a'), of('self', 'self')])
    expect(order.toSorted()).toEqual(['a', 'b', 'c', 'self', 'x'])
    expect([...stuck].toSorted()).toEqual([
      ['a', 'waits for itself: a → b → c → a'],
      ['b', 'waits for itself: b → c → a → b'],
      ['c', 'waits for itself: c → a → b → c'],
      ['self', 'waits for itself: self → self'],
    ])
  })

  test('holds for any workloads without a cycle, and for a chain of 20,000', () => {
    const { below, isLucky } = seeded(4)
    for (let round = 0; round < 200; round++) {
      const names = Array.from({ length: 1 + below(12) }, (_, i) => `w${i}`)
      const specs = names.map((name, i) => of(name, ...names.slice(0, i).filter(() => isLucky(0.3)))).toSorted(() => below(3) - 1)
      const { order, stuck } = startOrder(specs)
      expect(order.toSorted()).toEqual(names.toSorted())
      expect(stuck.size).toBe(0)
      for (const spec of specs)
        for (const { name } of spec.depends_on) expect(order.indexOf(name)).toBeLessThan(order.indexOf(spec.name))
    }
    const chain = Array.from({ length: 20_000 }, (_, i) => of(`w${i}`, ...(i < 19_999 ? [`w${i + 1}`] : [])))
    expect(startOrder(chain).order[0]).toBe('w19999')
  })
})

describe('blockedBy()', () => {
  test('is null without dependencies, and names one that is not there', () => {
    expect(blockedBy(of('app'), () => undefined)).toBeNull()
    expect(blockedBy(on('started'), () => undefined)).toBe('waits for "db", which is not there')
  })

  test('started asks for a run', () => {
    expect(blockedBy(on('started'), () => db({ health: 'unhealthy' }))).toBeNull()
    expect(blockedBy(on('started'), () => db({ state: 'completed' }))).toBeNull()
    expect(blockedBy(on('started'), () => db({ state: 'crash_loop' }))).toBe('waits for "db" to start: it is crash loop')
  })

  test('healthy asks for a check that passes, where there is one', () => {
    expect(blockedBy(on('healthy'), () => db({}))).toBeNull()
    expect(blockedBy(on('healthy'), () => db({ health: 'healthy' }))).toBeNull()
    expect(blockedBy(on('healthy'), () => db({ health: 'unknown' }))).toBe(
      'waits for "db" to be healthy: it is running, health unknown',
    )
    expect(blockedBy(on('healthy'), () => db({ state: 'backoff', health: 'healthy' }))).toBe(
      'waits for "db" to be healthy: it is backoff',
    )
    expect(blockedBy(on('healthy'), () => db({ run_mode: 'n_times', state: 'completed' }))).toBeNull()
  })

  test('completed asks for work that is done', () => {
    expect(blockedBy(on('completed'), () => db({ run_mode: 'n_times', hasSucceeded: true }))).toBe(
      'waits for "db" to complete: it is running',
    )
    expect(blockedBy(on('completed'), () => db({ run_mode: 'n_times', state: 'completed' }))).toBeNull()
    expect(blockedBy(on('completed'), () => db({ run_mode: 'schedule', state: 'registered' }))).toBe(
      'waits for "db" to complete: it is registered',
    )
    expect(blockedBy(on('completed'), () => db({ run_mode: 'schedule', state: 'registered', hasSucceeded: true }))).toBeNull()
  })

  test('tells the first of several that is not met', () => {
    const spec = { name: 'app', depends_on: [...on('started').depends_on, { name: 'cache', condition: 'started' as const }] }
    expect(blockedBy(spec, (name) => (name === 'db' ? db({}) : undefined))).toBe('waits for "cache", which is not there')
  })
})
