import { describe, expect, test } from 'vitest'
import { maxTaskBytes, readTask } from '../../schemas/task.ts'

const payload = { command: ['true'] }
const full = {
  type: 'build',
  payload: { command: 'make', env: { CC: 'gcc', _X1: '' }, cwd: '/srv' },
  priority: 'critical',
  source: 'ci',
  target: { selector: 'os=linux', fanout: 'all', repository: 'git@x:y.git', ref: 'main', environment: 'prod', path: 'a/b' },
  options: {
    timeout_seconds: 0.5,
    stop_grace_seconds: 0,
    retries: 100,
    retry_backoff_seconds: 0,
    start_within_seconds: 1,
    on_lost: 'stop',
    lost_after_seconds: 0,
    max_output_bytes: 1,
    max_line_bytes: 64,
    sandbox: { net: false },
  },
  metadata: { any: [1, { deep: null }] },
  tags: ['a', 'b'],
  idempotency_key: 'k',
  callback_url: 'https://example.com/hook',
}

/** The faults of a task: field and code of each. */
const faultsOf = (raw: unknown): string[] => {
  const read = readTask(raw)
  return read.ok ? [] : [...(read.error.details ?? [])].map((one) => `${one.field} ${one.code}`)
}
const messageOf = (raw: unknown): string => {
  const read = readTask(raw)
  return read.ok ? '' : read.error.message
}

describe('readTask()', () => {
  test('keeps every field as it was written', () => {
    expect(readTask(full)).toEqual({ ok: true, task: full })
  })

  test('fills in what was left out', () => {
    expect(readTask({ payload })).toEqual({
      ok: true,
      task: { type: 'command', payload, priority: 'medium', source: 'api', target: {}, options: {}, metadata: {}, tags: [] },
    })
  })

  test.each([
    ['timeout', 'timeout_seconds'],
    ['max_retries', 'retries'],
    ['retry_backoff', 'retry_backoff_seconds'],
    ['start_within', 'start_within_seconds'],
    ['lost_after', 'lost_after_seconds'],
    ['stop_grace', 'stop_grace_seconds'],
  ])('takes %s as %s; both with the same value are one, with different values an error', (alias, field) => {
    const options = { options: { [field]: 7 } }
    expect(readTask({ payload, options: { [alias]: 7 } })).toMatchObject({ ok: true, task: options })
    expect(readTask({ payload, options: { [alias]: 7, [field]: 7 } })).toMatchObject({ ok: true, task: options })
    for (const both of [
      { [alias]: 7, [field]: 8 },
      { [field]: 8, [alias]: 7 },
    ])
      expect(faultsOf({ payload, options: both })).toEqual([`options.${field} ambiguous`])
    expect(faultsOf({ payload, options: { [alias]: 'soon' } })).toEqual([`options.${field} invalid_type`])
  })

  test.each([
    [{}, 'payload required'],
    [{ payload: 'ls' }, 'payload invalid_type'],
    [{ payload: {} }, 'payload required'],
    [{ payload: { command: 'a', script: '#!/bin/sh' } }, 'payload ambiguous'],
    [{ payload: { command: 'a', prompt: 'b' } }, 'payload ambiguous'],
    [{ payload: { command: 'a', args: ['b'] } }, 'payload.args ambiguous'],
    [{ payload: { command: [] } }, 'payload.command too_small'],
    [{ payload: { command: '' } }, 'payload.command too_small'],
    [{ payload: { command: ['a', 5] } }, 'payload.command.1 invalid_type'],
    [{ payload: { command: 5 } }, 'payload.command invalid_type'],
    [{ payload: { command: ['a\0b'] } }, 'payload.command.0 nul_byte'],
    [{ payload: { script: 'echo' } }, 'payload.script invalid_format'],
    [{ payload: { command: 'a', env: { '1A': 'x' } } }, 'payload.env.1A invalid_key'],
    [{ payload: { command: 'a', env: { A: 1 } } }, 'payload.env.A invalid_type'],
    [{ payload: { command: 'a', env: { A: '\0' } } }, 'payload.env.A nul_byte'],
    [{ payload: { command: 'a', cwd: '' } }, 'payload.cwd too_small'],
    [{ payload, type: 'bulid' }, 'type invalid_value'],
    [{ payload, priority: 1 }, 'priority invalid_value'],
    [{ payload, source: 'x'.repeat(65) }, 'source too_big'],
    [{ payload, target: { device: 'D1' } }, 'target.device invalid_format'],
    [{ payload, target: { device: 'd', selector: 'a' } }, 'target ambiguous'],
    [{ payload, target: { selector: 'a=b=c' } }, 'target.selector invalid_selector'],
    [{ payload, target: { fanout: 'some' } }, 'target.fanout invalid_value'],
    [{ payload, options: { retries: -1 } }, 'options.retries too_small'],
    [{ payload, options: { retries: 101 } }, 'options.retries too_big'],
    [{ payload, options: { retries: 1.5 } }, 'options.retries invalid_type'],
    [{ payload, options: { timeout_seconds: 0 } }, 'options.timeout_seconds too_small'],
    [{ payload, options: { max_line_bytes: 63 } }, 'options.max_line_bytes too_small'],
    [{ payload, options: { on_lost: 'wait' } }, 'options.on_lost invalid_value'],
    [{ payload, options: null }, 'options invalid_type'],
    [{ payload, metadata: [] }, 'metadata invalid_type'],
    [{ payload, tags: [''] }, 'tags.0 too_small'],
    [{ payload, tags: Array(65).fill('x') }, 'tags too_big'],
    [{ payload, idempotency_key: '' }, 'idempotency_key too_small'],
    [{ payload, idempotency_key: 'k'.repeat(257) }, 'idempotency_key too_big'],
    [{ payload, callback_url: 'ftp://example.com' }, 'callback_url invalid_format'],
    [null, '(input) invalid_type'],
    [[], '(input) invalid_type'],
    ['ls', '(input) invalid_type'],
    [undefined, '(input) required'],
  ])('refuses %j with %s', (raw, fault) => {
    expect(faultsOf(raw)).toContain(fault)
    expect(messageOf(raw)).toContain(fault.split(' ')[0])
  })

  test.each([
    [{ payload, opitons: {} }, 'opitons', 'options'],
    [{ payload: { comand: 'a' } }, 'payload.comand', 'command'],
    [{ payload, options: { retrys: 1 } }, 'options.retrys', 'retries'],
    [{ payload, target: { selektor: 'a' } }, 'target.selektor', 'selector'],
    [{ payload, timeout: 5 }, 'timeout', 'options.timeout'],
    [{ command: ['a'] }, 'command', 'payload.command'],
    [{ payload, selector: 'a' }, 'selector', 'target.selector'],
    [{ payload, options: { env: {} } }, 'options.env', 'payload.env'],
  ])('an unknown key in %j is named as %s, with what may have been meant: %s', (raw, field, meant) => {
    const read = readTask(raw)
    const fault = read.ok ? undefined : read.error.details?.find((one) => one.field === field)
    expect(fault).toMatchObject({ code: 'unknown_field', accepted: [meant] })
    expect(fault?.message).toContain(`did you mean "${meant}"?`)
  })

  test('every fault is told, not the first only', () => {
    expect(faultsOf({ payload: { command: 'a', x: 1 }, priority: 'urgent', target: { device: 'd', selector: '=' } }).length).toBe(
      4,
    )
  })

  test('a message says what is wrong in words: with a variable’s name, with a command', () => {
    expect(messageOf({ payload: { command: 'a', env: { '1A': 'x' } } })).toContain('a variable name is letters, digits and _')
    expect(messageOf({ payload: { command: 5 } })).toMatch(/string.*array/)
  })

  test('a prompt is for an agent, and goes only where that is', () => {
    const target = (raw: Record<string, unknown>): unknown => {
      const read = readTask(raw)
      return read.ok ? read.task.target : read.error
    }
    const prompt = 'say hello'
    expect(target({ payload: { prompt } })).toEqual({ selector: 'agent.goose' })
    expect(target({ payload: { prompt }, target: { selector: 'site=berlin' } })).toEqual({ selector: 'site=berlin,agent.goose' })
    expect(target({ payload: { prompt }, target: { selector: 'agent.goose' } })).toEqual({ selector: 'agent.goose' })
    expect(target({ payload: { prompt, agent: 'codex' }, target: { fanout: 'all' } })).toEqual({
      fanout: 'all',
      selector: 'agent.codex',
    })
    expect(target({ payload: { prompt }, target: { device: 'pi-1' } })).toEqual({ device: 'pi-1' })
  })

  test.each([
    [{ prompt: 'x', command: ['true'] }, 'payload'],
    [{ prompt: '' }, 'payload.prompt'],
    [{ prompt: 'x', max_turns: 0 }, 'payload.max_turns'],
    [{ prompt: 'x', approve: 'all' }, 'payload.approve'],
    [{ prompt: 'x', budget: { token: 5 } }, 'payload.budget.token'],
    [{ prompt: 'x', args: ['a'] }, 'payload.args'],
    [{ prompt: 'x', secrets: ['a b'] }, 'payload.secrets.0'],
    [{ command: ['true'], model: 'gpt-4o' }, 'payload.model'],
  ])('a task with payload %j is refused for %s', (payload, field) => {
    const read = readTask({ payload })
    expect(read.ok ? 'ok' : [read.error.code, read.error.details?.[0]?.field]).toEqual(['invalid', field])
  })

  test('a workload is run by its name on its device, or on all that are meant; it says itself where and how', () => {
    const target = { device: 'pi-1' }
    for (const payload of [
      { workload: 'ticker' },
      { workload: 'ticker', env: { LEVEL: 'debug' } },
      { within: 'ticker', command: ['env'] },
      { within: 'ticker', script: '#!/bin/sh', args: ['x'], cwd: 'sub' },
    ]) {
      expect([payload, faultsOf({ payload, target })]).toEqual([payload, []])
      expect(faultsOf({ payload, target: { fanout: 'all' } })).toEqual([])
      expect(faultsOf({ payload })).toEqual(['target.device required'])
      expect(faultsOf({ payload, target: { selector: 'os=linux' } })).toEqual(['target.device required'])
    }
    expect(faultsOf({ payload: { workload: 'A b' }, target })).toEqual(['payload.workload invalid_format'])
    expect(faultsOf({ payload: { workload: 'a', command: 'b' }, target })).toEqual(['payload ambiguous'])
    for (const field of ['args', 'cwd', 'within'])
      expect(faultsOf({ payload: { workload: 'a', [field]: field === 'args' ? ['b'] : 'b' }, target })).toEqual([
        `payload.${field} ambiguous`,
      ])
    expect(faultsOf({ payload: { within: 'a' }, target })).toEqual(['payload required', 'payload.within ambiguous'])
  })

  test('a task of the largest size is taken, one byte more is too_large, counted in bytes', () => {
    const sized = (bytes: number, letter: string) => {
      const room = bytes - Buffer.byteLength(JSON.stringify({ payload, metadata: { t: '' } }))
      const width = Buffer.byteLength(letter)
      return { payload, metadata: { t: letter.repeat(Math.floor(room / width)) + 'x'.repeat(room % width) } }
    }
    for (const letter of ['x', '€']) {
      expect(readTask(sized(maxTaskBytes, letter)).ok).toBe(true)
      const over = readTask(sized(maxTaskBytes + 1, letter))
      expect(over.ok ? 'ok' : over.error.code).toBe('too_large')
    }
  })

  test('a key that is a trap of JavaScript is an unknown field like any other', () => {
    for (const raw of [
      '{"payload":{"command":"a"},"__proto__":{"tags":["x"]}}',
      '{"payload":{"command":"a","__proto__":{"cwd":"/"}}}',
      '{"payload":{"command":"a"},"options":{"__proto__":{"retries":5}}}',
      '{"payload":{"command":"a"},"options":{"constructor":1}}',
    ])
      expect([raw, faultsOf(JSON.parse(raw)).map((one) => one.split(' ')[1])]).toEqual([raw, ['unknown_field']])
  })
})
