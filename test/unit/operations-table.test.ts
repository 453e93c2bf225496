import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { errorCodes, wireError } from '../../schemas/errors.ts'
import { isOperation, mayAsk, operationNames, operations } from '../../schemas/operations.ts'
import { topicOf } from '../../schemas/topics.ts'

describe('the table of operations', () => {
  test.each(operationNames)('%s: name, summary, schemas, and every place of its path is a field that must be given', (name) => {
    const { http, input, output, summary } = operations[name]
    expect(name).toMatch(/^[a-z]+(\.[a-z]+)+$/)
    expect(summary.length).toBeGreaterThan(5)
    for (const schema of [input, output]) expect(schema).toBeInstanceOf(z.ZodType)
    expect(http.path).toMatch(/^(\/([a-z]+(-[a-z]+)*|\{[a-z][a-z0-9_]*\}))+$/)
    const places = [...http.path.matchAll(/\{([a-z][a-z0-9_]*)\}/g)].map((one) => one[1] ?? '')
    for (const place of places) {
      expect(Object.keys(input.shape)).toContain(place)
      const parsed = input.safeParse({})
      expect(parsed.success ? [] : parsed.error.issues.map((issue) => issue.path[0])).toContain(place)
    }
    if (http.method === 'get') expect(http.status).toBe(200)
  })

  test('no two operations share a route, whatever their places are called', () => {
    const routes = operationNames.map(
      (name) => `${operations[name].http.method} ${operations[name].http.path.replace(/\{[^}]+\}/g, '{}')}`,
    )
    expect(new Set(routes).size).toBe(routes.length)
  })

  test('every name is a topic within the limits of the profile', () => {
    for (const name of operationNames) {
      const topic = topicOf('default', 'request', { client: 'admin', operation: name.replaceAll('.', '/') })
      expect(topic.split('/').length - 1).toBeLessThanOrEqual(7)
      for (const level of topic.split('/')) expect(level).toMatch(/^[a-z0-9-]+$/)
    }
  })

  test('every schema can be told as JSON Schema, for OpenAPI', () => {
    for (const name of operationNames) {
      expect(() => z.toJSONSchema(operations[name].input, { io: 'input', unrepresentable: 'any' })).not.toThrow()
      expect(() => z.toJSONSchema(operations[name].output, { unrepresentable: 'any' })).not.toThrow()
    }
  })

  test('lists take pages of at most 1000, 50 if none is named; numbers and lists may come as text, from a query', () => {
    for (const name of ['task.list', 'device.list'] as const) {
      const { input } = operations[name]
      expect(input.parse({}).limit).toBe(50)
      expect(input.parse({ limit: '7' }).limit).toBe(7)
      for (const limit of [0, 1001, 1.5, '1.5', 'x', '', null, true])
        expect([limit, input.safeParse({ limit }).success]).toEqual([limit, false])
    }
    expect(operations['task.list'].input.parse({ state: 'queued,active', type: ['build'] })).toMatchObject({
      state: ['queued', 'active'],
      type: ['build'],
    })
    expect(operations['task.logs'].input.parse({ task_id: 't', after: '12' })).toMatchObject({ after: 12, limit: 1000 })
  })

  test('what is not an operation is none, whatever an object inherits', () => {
    for (const name of ['constructor', '__proto__', 'task', 'task.', 'Task.list']) expect(isOperation(name)).toBe(false)
  })
})

describe('mayAsk()', () => {
  test('a viewer reads, an operator also acts, an admin does all; a device and who joins ask for their own and nothing else', () => {
    for (const name of operationNames) {
      const { role: needed } = operations[name]
      if (needed === 'device' || needed === 'join') {
        const may = ['admin', 'operator', 'viewer', 'device', 'join', 'controller', ''].filter((role) => mayAsk(role, name))
        expect([name, may]).toEqual([name, [needed]])
        continue
      }
      const reads = operations[name].http.method === 'get' && needed === 'viewer'
      expect([name, mayAsk('viewer', name)]).toEqual([name, reads])
      expect(mayAsk('admin', name)).toBe(true)
      if (mayAsk('viewer', name)) expect(mayAsk('operator', name)).toBe(true)
      for (const role of ['device', 'join', 'controller', '', 'root', 'constructor'])
        expect([role, mayAsk(role, name)]).toEqual([role, false])
    }
    for (const name of ['task.submit', 'task.cancel', 'task.retry'] as const) expect(mayAsk('operator', name)).toBe(true)
  })
})

describe('errorCodes', () => {
  test('a code says whether the same may succeed later: only where the fault is ours', () => {
    for (const [code, { status, retryable }] of Object.entries(errorCodes)) {
      expect([code, retryable]).toEqual([code, status >= 500])
      expect(code).toMatch(/^[a-z_]+$/)
    }
    expect(wireError('not_found', 'x', [])).toEqual({ code: 'not_found', message: 'x', retryable: false })
  })
})
