import { describe, expect, test } from 'vitest'
import { operations } from '../../schemas/operations.ts'
import { terminalTaskStates } from '../../schemas/task-states.ts'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'

const minute = 60_000
const ask = async (desk: Desk, minutes?: unknown) =>
  operations['task.throughput'].output.parse(
    outputOf(await desk.ask('task.throughput', minutes === undefined ? {} : { minutes }, 'victor')),
  )

/** Goes on to the beginning of the next whole minute of the clock. */
const nextMinute = (desk: Desk): Promise<void> => desk.advance(minute - (desk.clock.now() % minute))

describe('task.throughput', () => {
  test('counts by the whole minutes of the clock, the last of which is under way', async () => {
    const desk = await startDesk()
    await nextMinute(desk)
    await desk.hello('d1', { capacity: 10 })
    const first = await desk.submit()
    await desk.advance(minute - 1)
    await desk.submit()
    await desk.advance(1)
    const third = await desk.submit()
    await desk.report('d1', `${first}-1`, 'succeeded', { exit_code: 0 })
    await desk.report('d1', `${third}-1`, 'failed', { exit_code: 1 })
    const zeros = (count: number) => Array.from({ length: count }, () => 0)
    expect(await ask(desk, 3)).toEqual({
      from: new Date(desk.clock.now() - 2 * minute).toISOString(),
      step_seconds: 60,
      ...{ submitted: [0, 2, 1], succeeded: [0, 0, 1], failed: [0, 0, 1], cancelled: [0, 0, 0] },
    })
    expect(await ask(desk, '1')).toMatchObject({ submitted: [1], succeeded: [1], failed: [1], cancelled: [0] })
    expect((await ask(desk)).submitted).toEqual([...zeros(58), 2, 1])
    expect((await ask(desk, 1440)).submitted).toEqual([...zeros(1438), 2, 1])
    await desk.advance(3 * minute)
    expect(await ask(desk, 2)).toMatchObject({ submitted: [0, 0], succeeded: [0, 0] })
  })

  test('every way to end counts once', async () => {
    const desk = await startDesk()
    for (const state of terminalTaskStates) {
      const id = await desk.submit({ target: { device: 'd9' } })
      desk.store.tasks.update({ ...desk.task(id), state, ended_at: desk.clock.now() })
    }
    await desk.submit({ target: { device: 'd9' } })
    expect(await ask(desk, 1)).toMatchObject({ submitted: [8], succeeded: [1], cancelled: [1], failed: [5] })
  })

  test('a clock that jumps back leaves what is ahead of it for later', async () => {
    const desk = await startDesk()
    await desk.submit({ target: { device: 'd9' } })
    desk.life.wallOffsetMs = -10 * minute
    await desk.submit({ target: { device: 'd9' } })
    expect((await ask(desk, 2)).submitted).toEqual([0, 1])
    desk.life.wallOffsetMs = 0
    expect((await ask(desk, 11)).submitted).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  })

  test('an empty store has zeros; what is no number of minutes is refused', async () => {
    const desk = await startDesk()
    expect((await ask(desk)).submitted).toEqual(Array.from({ length: 60 }, () => 0))
    for (const minutes of [0, 1441, -1, 1.5, 'x', '1; drop table task', null, []])
      expect([minutes, codeOf(await desk.ask('task.throughput', { minutes }))]).toEqual([minutes, 'invalid'])
  })
})
