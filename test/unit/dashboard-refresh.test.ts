import { describe, expect, test } from 'vitest'
import { createRefresh } from '../../dashboard/server/picture/refresh.ts'
import { whatOf } from '../../dashboard/web/format/what.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('createRefresh()', () => {
  const world = () => {
    const time = createTime()
    const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
    const asked: number[] = []
    let answer: (() => void) | undefined
    const refresh = createRefresh(clock, { gapMs: 1000, everyMs: 60_000 }, () => {
      asked.push(time.now())
      return new Promise<void>((resolve) => {
        answer = resolve
      })
    })
    const pass = async (ms: number): Promise<void> => {
      const until = time.now() + ms
      while (time.step(until)) await settled()
      await settled()
    }
    return {
      ...{ refresh, asked, pass },
      answered: async () => {
        answer?.()
        await settled()
      },
    }
  }

  test('asks at once when it starts, and now and then after that', async () => {
    const { refresh, asked, pass, answered } = world()
    await pass(100)
    expect([asked.length, refresh.hasAnswered()]).toEqual([0, false])
    refresh.start()
    await pass(10)
    expect([asked.length, refresh.hasAnswered()]).toEqual([1, false])
    await answered()
    expect(refresh.hasAnswered()).toBe(true)
    await pass(59_000)
    expect(asked.length).toBe(1)
    await pass(2000)
    expect(asked.length).toBe(2)
  })

  test('however often it is wanted, one question at a time, and not sooner than its gap', async () => {
    const { refresh, asked, pass, answered } = world()
    refresh.start()
    await pass(10)
    for (let i = 0; i < 100; i++) refresh.want()
    await pass(5000)
    expect(asked.length).toBe(1)
    await answered()
    await pass(999)
    expect(asked.length).toBe(1)
    await pass(10)
    expect(asked.length).toBe(2)
    await answered()
    await pass(30_000)
    expect(asked.length).toBe(2)
  })

  test('stopped it asks nothing, and begins anew when it is started again', async () => {
    const { refresh, asked, pass, answered } = world()
    refresh.start()
    await pass(10)
    await answered()
    refresh.stop()
    refresh.want()
    await pass(200_000)
    expect([asked.length, refresh.hasAnswered()]).toEqual([1, false])
    refresh.start()
    await pass(10)
    expect(asked.length).toBe(2)
  })
})

describe('whatOf()', () => {
  const of = (payload: Record<string, unknown>, metadata: Record<string, unknown> = {}) => whatOf({ payload, metadata })

  test('a few words for every kind of work, on one line', () => {
    expect(of({ command: 'echo  a\n b' })).toBe('echo a b')
    expect(of({ command: ['sh', '-c', 'exit 3'] })).toBe("sh -c 'exit 3'")
    expect(of({ script: '#!/bin/sh\n# says hello\nset -eu\n\n  echo hello\n' })).toBe('echo hello')
    expect(of({ script: '#!/bin/sh\n' })).toBe('script')
    expect(of({ prompt: 'Find out why' })).toBe('Find out why')
    expect(of({ recipe: 'backup.yaml' })).toBe('recipe backup.yaml')
    expect(of({ workload: 'web' })).toBe('workload web')
    expect(of({ command: 'x' }, { title: 'Nightly' })).toBe('Nightly')
    expect(of({ command: 'x' }, { title: ' ', name: 7 })).toBe('x')
    expect(of({ command: 'x'.repeat(500) })).toHaveLength(120)
  })
})
