import { expect, test } from 'vitest'
import { createMeter, type MeterLimits } from '../../device/agents/meter.ts'

const meterOf = (more: Partial<MeterLimits> = {}) =>
  createMeter({ maxTurns: 100, maxRepeats: 100, tokens: undefined, cost: undefined, ...more })
const usage = (used: number, cost: number | null = null) =>
  ({ kind: 'usage', used, cost, currency: cost === null ? null : 'USD' }) as const
const call = (command: string) => ({ kind: 'tool_call', tool: 'shell', input: { command } }) as const

test('a turn is a call of the model: many words and several tools at once are one', () => {
  const meter = meterOf()
  meter.count({ kind: 'model' })
  meter.count({ kind: 'model' })
  meter.count(call('a'))
  meter.count(call('b'))
  expect(meter.figures().turns).toBe(1)
  meter.count({ kind: 'tool_result' })
  meter.count({ kind: 'tool_result' })
  meter.count({ kind: 'model' })
  expect(meter.figures().turns).toBe(2)
  meter.prompted()
  meter.count({ kind: 'model' })
  expect(meter.figures().turns).toBe(3)
})

test('what a call took counts once, however often it is told', () => {
  const meter = meterOf()
  meter.count(usage(0))
  meter.count({ kind: 'model' })
  meter.count(usage(20, 0.1))
  meter.count(usage(20, 0.1))
  meter.count({ kind: 'tool_result' })
  meter.count({ kind: 'model' })
  meter.count(usage(50, 0.3))
  expect(meter.figures()).toEqual({ turns: 2, tokens: 70, cost: 0.3, currency: 'USD' })
})

test.each([
  ['max_turns', { maxTurns: 1 }, [{ kind: 'model' }, { kind: 'tool_result' }, { kind: 'model' }]],
  ['budget_tokens', { tokens: 30 }, [{ kind: 'model' }, usage(31)]],
  ['budget_cost', { cost: 0.2 }, [{ kind: 'model' }, usage(1, 0.21)]],
  ['repeats', { maxRepeats: 3 }, [call('a'), { kind: 'tool_result' }, call('a'), { kind: 'tool_result' }, call('a')]],
] as const)('%s: too much is told when it is, and not before', (stop, limits, seen) => {
  const meter = meterOf(limits)
  const told = seen.map((one) => meter.count(one)?.stop)
  expect(told).toEqual([...seen.slice(1).map(() => undefined), stop])
})

test('up to its limits nothing is too much, and other arguments are no repetition', () => {
  const meter = meterOf({ maxTurns: 2, tokens: 30, cost: 0.2, maxRepeats: 2 })
  for (const one of [call('a'), usage(10, 0.1), { kind: 'tool_result' }, call('b'), usage(20, 0.2)] as const)
    expect(meter.count(one)).toBeUndefined()
})
