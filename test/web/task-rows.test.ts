import { describe, expect, test } from 'vitest'
import { pathOf, readFilters } from '../../dashboard/web/pages/tasks/task-query.ts'
import { hasUnknown, lackStart, withChanges, withFirstPage } from '../../dashboard/web/pages/tasks/task-rows.ts'
import type { Task } from '../../schemas/task.ts'

const row = (id: string, more: object = {}) =>
  ({
    task_id: id,
    state: 'queued',
    reason: null,
    device: null,
    attempt: 0,
    exit_code: null,
    started_at: null,
    ended_at: null,
    ...more,
  }) as unknown as Task // what these functions look at
const change = (id: string, state: string) => ({ task_id: id, state, reason: 'why', device: 'd1', attempt: 1, exit_code: 3 })

describe('rows of tasks', () => {
  test('withChanges() changes rows in their place, and takes it that what has ended did so now', () => {
    const rows = [row('a'), row('b', { ended_at: 'then' }), row('c')]
    const changed = withChanges(
      rows,
      { tasks: [change('a', 'failed'), change('b', 'lost'), change('x', 'active')], more: 0 },
      'now',
    )
    expect(changed).toMatchObject([
      { task_id: 'a', state: 'failed', reason: 'why', device: 'd1', exit_code: 3, ended_at: 'now' },
      { task_id: 'b', state: 'lost', ended_at: 'then' },
      { task_id: 'c', state: 'queued' },
    ])
    expect(changed[2]).toBe(rows[2])
    expect(withChanges(rows, { tasks: [change('a', 'active')], more: 0 }, 'now')[0]?.ended_at).toBeNull()
  })

  test('lackStart() names the rows that have moved on, and whose start is not known', () => {
    const rows = [row('a'), row('b', { started_at: 'then' }), row('c'), row('d')]
    const tasks = [change('a', 'active'), change('b', 'failed'), change('c', 'queued'), change('x', 'active')]
    expect(lackStart(rows, { tasks, more: 0 })).toEqual(['a'])
  })

  test('hasUnknown() tells whether a change is of others too', () => {
    expect(hasUnknown([row('a')], { tasks: [change('a', 'failed')], more: 0 })).toBe(false)
    expect(hasUnknown([row('a')], { tasks: [change('b', 'queued')], more: 0 })).toBe(true)
    expect(hasUnknown([row('a')], { tasks: [], more: 3 })).toBe(true)
  })

  test('withFirstPage() brings rows up to date, and keeps what is new apart', () => {
    const { rows, fresh } = withFirstPage([row('b'), row('a')], [row('d'), row('c'), row('b', { state: 'failed' })])
    expect(rows).toMatchObject([{ task_id: 'b', state: 'failed' }, { task_id: 'a' }])
    expect(fresh.map((one) => one.task_id)).toEqual(['d', 'c'])
  })
})

describe('which tasks are shown', () => {
  test('pathOf() asks for what the address says', () => {
    const filters = readFilters({ state: 'failed,lost', tag: 'a b', nonsense: 'x', since: '1h' })
    const asked = new URL(`http://x${pathOf(filters, Date.UTC(2030, 0, 1, 12), 'next')}`)
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      ...{ state: 'failed,lost', tag: 'a b', since: '2030-01-01T11:00:00.000Z', limit: '50', cursor: 'next' },
    })
  })

  test('pathOf() hands an instant on as it is', () => {
    expect(pathOf(readFilters({ since: '2030-01-01T00:00:00Z' }), 0)).toContain('since=2030-01-01T00%3A00%3A00Z')
  })
})
