import { describe, expect, test } from 'vitest'
import {
  isRunOver,
  type RunState,
  reportedRunStates,
  runStates,
  runTransition,
  terminalRunStates,
} from '../../schemas/run-states.ts'
import {
  isTaskOver,
  type TaskEvent,
  type TaskState,
  taskStates,
  taskTransition,
  terminalTaskStates,
} from '../../schemas/task-states.ts'
import { randomFrom } from '../simulation/sim-clock.ts'

const random = randomFrom(3)
const pick = <T>(from: readonly T[]): T => {
  const one = from[Math.floor(random() * from.length)]
  if (one === undefined) throw new Error('nothing to pick from')
  return one
}

describe('runTransition()', () => {
  const after = (state: RunState, to: RunState): RunState => {
    const verdict = runTransition(state, to)
    return verdict.kind === 'change' ? verdict.to : state
  }

  test('whatever comes in whatever order, a terminal state never changes', () => {
    for (let i = 0; i < 5000; i++) {
      let state: RunState = 'dispatched'
      let end: RunState | null = null
      for (let step = 0; step < 12; step++) {
        state = after(state, pick(runStates))
        if (end === null && isRunOver(state)) end = state
        if (end !== null) expect(state).toBe(end)
      }
    }
  })

  test('reports that come twice, late and in any order lead where they lead in order', () => {
    for (let i = 0; i < 2000; i++) {
      const end = pick(terminalRunStates.filter((one) => one !== 'lost' && one !== 'rejected'))
      const told: RunState[] = ['accepted', 'running', end]
      const inOrder = told.reduce(after, 'dispatched')
      const shuffled = [...told, ...told].sort(() => random() - 0.5)
      expect(shuffled.reduce(after, 'dispatched')).toBe(inOrder)
    }
  })

  test.each([
    ['dispatched', ['accepted', 'running', 'unknown', 'rejected', 'lost', 'cancelled']],
    ['accepted', ['running', 'unknown', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost']],
    ['running', ['unknown', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost']],
    ['unknown', ['dispatched', 'accepted', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'rejected']],
  ] as const)('%s goes on to %j, and never back', (state, nexts) => {
    for (const to of nexts) expect(runTransition(state, to)).toEqual({ kind: 'change', to })
    const order: readonly RunState[] = ['dispatched', 'accepted', 'running']
    for (const to of order.slice(0, order.indexOf(state) + 1)) expect(runTransition(state, to)).toEqual({ kind: 'stale' })
    expect(runTransition(state, state).kind).toBe('stale')
  })

  test('another end of a run that is over is late; the same end, or what is no end, is stale', () => {
    for (const state of terminalRunStates) {
      for (const to of runStates) {
        const expected = isRunOver(to) && to !== state ? 'late' : 'stale'
        expect([state, to, runTransition(state, to).kind]).toEqual([state, to, expected])
      }
    }
  })

  test('lost and unknown are the controller’s judgement: no device may say them', () => {
    expect(reportedRunStates).not.toContain('lost')
    expect(reportedRunStates).not.toContain('unknown')
    expect(reportedRunStates).not.toContain('dispatched')
  })
})

describe('taskTransition()', () => {
  const events: readonly TaskEvent[] = [
    { kind: 'dispatch' },
    { kind: 'retry' },
    ...terminalTaskStates.map((as): TaskEvent => ({ kind: 'end', as })),
  ]

  test('whatever comes in whatever order, a terminal state never changes', () => {
    for (let i = 0; i < 5000; i++) {
      let state: TaskState = 'queued'
      let end: TaskState | null = null
      for (let step = 0; step < 12; step++) {
        state = taskTransition(state, pick(events))
        if (end === null && isTaskOver(state)) end = state
        if (end !== null) expect(state).toBe(end)
      }
    }
  })

  test('queued and active lead to each other, and to every end', () => {
    expect(taskTransition('queued', { kind: 'dispatch' })).toBe('active')
    expect(taskTransition('active', { kind: 'dispatch' })).toBe('active')
    expect(taskTransition('active', { kind: 'retry' })).toBe('queued')
    for (const as of terminalTaskStates) expect(taskTransition('active', { kind: 'end', as })).toBe(as)
    for (const as of ['cancelled', 'expired'] as const) expect(taskTransition('queued', { kind: 'end', as })).toBe(as)
  })

  test('every state is over or not, as the list of ends says', () => {
    for (const state of taskStates) expect(isTaskOver(state)).toBe((terminalTaskStates as readonly string[]).includes(state))
    for (const state of runStates) expect(isRunOver(state)).toBe((terminalRunStates as readonly string[]).includes(state))
  })
})
