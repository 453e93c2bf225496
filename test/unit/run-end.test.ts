import { describe, expect, test } from 'vitest'
import { endOfRun } from '../../device/run-end.ts'

const exited = (code: number) => ({ kind: 'exited', code }) as const
const stops = ['cancelled', 'superseded', 'timed_out', 'given_up', 'shutdown'] as const

describe('endOfRun()', () => {
  test.each([
    [exited(0), null, { state: 'succeeded', exit_code: 0 }],
    [exited(3), null, { state: 'failed', exit_code: 3, reason: 'exited with 3' }],
    [exited(143), null, { state: 'failed', exit_code: 143, reason: 'exited with 143' }],
    [exited(137), null, { state: 'failed', exit_code: 137, reason: 'exited with 137' }],
    [
      { kind: 'not_started', code: 127, reason: 'command_not_found: "x"' },
      null,
      { state: 'failed', exit_code: 127, reason: 'command_not_found: "x"' },
    ],
    [{ kind: 'unknown', reason: 'device_rebooted' }, null, { state: 'failed', reason: 'device_rebooted' }],
    [{ kind: 'unknown', reason: 'exit_unknown' }, null, { state: 'failed', reason: 'exit_unknown' }],
    [exited(143), 'cancelled', { state: 'cancelled', reason: 'cancelled', exit_code: 143, signal: 'SIGTERM' }],
    [exited(137), 'timed_out', { state: 'timed_out', reason: 'timed out after 5 s', exit_code: 137, signal: 'SIGKILL' }],
    [exited(0), 'timed_out', { state: 'timed_out', reason: 'timed out after 5 s', exit_code: 0 }],
    [exited(1), 'superseded', { state: 'cancelled', reason: 'superseded', exit_code: 1 }],
    [{ kind: 'unknown', reason: 'exit_unknown' }, 'cancelled', { state: 'cancelled', reason: 'cancelled' }],
    [{ kind: 'not_started', code: 125, reason: 'never_started' }, 'cancelled', { state: 'cancelled', reason: 'cancelled' }],
  ] as const)('%j while stopping for %s is %j', (end, stopFor, expected) => {
    expect(endOfRun(end, stopFor, 5)).toEqual(expected)
  })

  test('a signal is named only where Skein sent one, and an exit code only where one was seen', () => {
    for (const code of [0, 1, 129, 130, 137, 143, 255]) expect(endOfRun(exited(code), null, undefined).signal).toBeUndefined()
    for (const stopFor of stops) {
      expect(endOfRun(exited(3), stopFor, 1).signal).toBeUndefined()
      expect(endOfRun({ kind: 'unknown', reason: 'device_rebooted' }, stopFor, 1)).not.toHaveProperty('exit_code')
    }
  })

  test('every end has a reason, but for success', () => {
    for (const end of [exited(0), exited(9), { kind: 'unknown', reason: 'exit_unknown' } as const])
      for (const stopFor of [null, ...stops]) {
        const result = endOfRun(end, stopFor, undefined)
        expect(result.state === 'succeeded' || (result.reason ?? '').length > 0).toBe(true)
      }
  })
})
