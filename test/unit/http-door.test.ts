import { request as rawRequest } from 'node:http'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import type { HttpDoors } from '../../base/http-doors.ts'
import { silentLog } from '../../base/log.ts'
import type { Asker } from '../../controller/asking.ts'
import { startHttpDoor } from '../../controller/doors/http.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import { operationNames, operations } from '../../schemas/operations.ts'

type Asked = { asker: Asker; operation: string; input: unknown }

let door: HttpDoors
let asked: Asked[]
let answer: () => Promise<Outcome<unknown>>
let isReady: boolean

beforeEach(async () => {
  asked = []
  isReady = true
  answer = () => Promise.resolve(accepted({ task_id: 't' }))
  door = await startHttpDoor({
    listen: { bind: '127.0.0.1', port: 0 },
    clock: systemClock,
    ask: (asker, operation, input) => {
      asked.push({ asker, operation, input })
      return answer()
    },
    authenticate: (token) =>
      token === 'broken'
        ? Promise.reject(new Error('no database'))
        : Promise.resolve(
            token === 'device'
              ? { subject: 'pi', role: 'device' }
              : token === 'good'
                ? { subject: 'ann', role: 'admin' }
                : { reason: 'the token has expired' },
          ),
    metrics: () => Promise.resolve('skein_tasks 1\n'),
    metricsOpen: false,
    isReady: () => ({ ready: isReady, checks: { store: isReady } }),
    log: silentLog,
    version: '1.2.3',
  })
})
afterEach(() => door.close())

const call = async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`http://127.0.0.1:${door.http.port}${path}`, {
    method,
    headers: { authorization: 'Bearer good', ...headers },
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
}

describe('startHttpDoor()', () => {
  for (const name of operationNames) {
    const { method, path, status } = operations[name].http
    test(`serves ${name} at ${method.toUpperCase()} ${path}`, async () => {
      const reply = await call(method.toUpperCase(), `/api/v1${path.replace(/\{\w+\}/g, 'some-id')}`)
      expect(reply).toMatchObject({ status, json: { task_id: 't' } })
      const input = Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, field]) => [field, 'some-id']))
      expect(asked).toEqual([{ asker: { subject: 'ann', door: 'api' }, operation: name, input }])
    })
  }

  test('merges path, query and body into one input, whatever the content type', async () => {
    await call('GET', '/api/v1/tasks?state=queued,active&limit=3')
    await call('POST', '/api/v1/tasks', '{"payload":{"command":"x"}}', { 'content-type': 'application/x-www-form-urlencoded' })
    await call('POST', '/api/v1/tasks/a/retry', '{"task_id":"a","idempotency_key":"k"}')
    expect(asked.map((one) => one.input)).toEqual([
      { state: 'queued,active', limit: '3' },
      { payload: { command: 'x' } },
      { task_id: 'a', idempotency_key: 'k' },
    ])
  })

  test('refuses a field that path and body give differently', async () => {
    const reply = await call('POST', '/api/v1/tasks/a/retry', '{"task_id":"b"}')
    expect(reply).toMatchObject({ status: 400, json: { error: { code: 'invalid', details: [{ field: 'task_id' }] } } })
    expect(asked).toEqual([])
  })

  test('hands on a field called __proto__ instead of obeying it', async () => {
    await call('POST', '/api/v1/tasks', '{"__proto__":{"admin":true}}')
    expect(Object.keys(Object(asked[0]?.input))).toEqual(['__proto__'])
  })

  test('refuses bodies that are no JSON object, or too large, with the codes of every door', async () => {
    expect(await call('POST', '/api/v1/tasks', '{"a":')).toMatchObject({ status: 400, json: { error: { code: 'invalid' } } })
    expect(await call('POST', '/api/v1/tasks', '[1]')).toMatchObject({ status: 400, json: { error: { code: 'invalid' } } })
    expect(await call('POST', '/api/v1/tasks', '7')).toMatchObject({ status: 400 })
    expect(await call('POST', '/api/v1/tasks', `{"a":"${'x'.repeat(130 * 1024)}"}`)).toMatchObject({
      status: 413,
      json: { error: { code: 'too_large' } },
    })
    expect(await call('GET', '/api/v1/tasks/%E0%A4%A')).toMatchObject({ status: 400, json: { error: { code: 'invalid' } } })
    expect(asked).toEqual([])
  })

  test('wants a token that holds', async () => {
    const none = await call('GET', '/api/v1/tasks', undefined, { authorization: '' })
    expect(none).toMatchObject({ status: 401, json: { error: { code: 'unauthorized', retryable: false } } })
    expect(none.headers.get('www-authenticate')).toContain('Bearer')
    const old = await call('POST', '/api/v1/tasks', 'not even JSON', { authorization: 'Bearer old' })
    expect(old).toMatchObject({ status: 401, json: { error: { message: 'Cannot accept the token: the token has expired' } } })
    expect(await call('GET', '/api/v1/tasks', undefined, { authorization: 'Bearer broken' })).toMatchObject({ status: 503 })
    expect(asked).toEqual([])
  })

  test('gives metrics to those who may read', async () => {
    const reply = await call('GET', '/metrics')
    expect(reply).toMatchObject({ status: 200, text: 'skein_tasks 1\n' })
    expect(reply.headers.get('content-type')).toContain('version=0.0.4')
    expect(await call('GET', '/metrics', undefined, { authorization: '' })).toMatchObject({ status: 401 })
    expect(await call('GET', '/metrics', undefined, { authorization: 'Bearer device' })).toMatchObject({
      status: 403,
      json: { error: { code: 'forbidden' } },
    })
  })

  test('answers a wrong method with 405 and what is allowed', async () => {
    const reply = await call('DELETE', '/api/v1/tasks')
    expect(reply).toMatchObject({ status: 405, json: { error: { code: 'unknown_operation' } } })
    expect(reply.headers.get('allow')).toBe('POST, GET, HEAD')
    expect((await call('OPTIONS', '/api/v1/tasks/a/cancel')).status).toBe(405)
  })

  test('answers whatever begins with /api/ in JSON', async () => {
    for (const path of ['/api/v1/task', '/api/v2/tasks', '/api/', '/api/v1/tasks/a/b/c']) {
      expect(await call('GET', path), path).toMatchObject({ status: 404, json: { error: { code: 'unknown_operation' } } })
    }
    expect((await call('GET', '/api/v1/task')).json.error.message).toContain('did you mean /api/v1/tasks?')
    expect(await call('GET', '/nothing')).toMatchObject({ status: 404, json: { error: { code: 'not_found' } } })
  })

  test('gives each refusal its status, and 503 when nothing can be stored', async () => {
    answer = () => Promise.resolve(refused('conflict', 'another body'))
    expect(await call('POST', '/api/v1/tasks', '{}')).toMatchObject({
      status: 409,
      json: { error: { code: 'conflict', message: 'another body', retryable: false } },
    })
    answer = () => Promise.reject(new Error('disk full'))
    const full = await call('POST', '/api/v1/tasks', '{}')
    expect(full).toMatchObject({ status: 503, json: { error: { code: 'unavailable', retryable: true } } })
    expect(full.text).not.toContain('disk full')
  })

  test('answers 200 instead of 201 for what was there already', async () => {
    answer = () => Promise.resolve(accepted({ task_id: 't', duplicate: true }))
    expect((await call('POST', '/api/v1/tasks', '{}')).status).toBe(200)
  })

  test('says without a token whether it lives and whether it is ready', async () => {
    const none = { authorization: '' }
    expect(await call('GET', '/healthz', undefined, none)).toMatchObject({ status: 200, json: { status: 'ok' } })
    expect((await call('GET', '/readyz', undefined, none)).status).toBe(200)
    isReady = false
    expect(await call('GET', '/readyz', undefined, none)).toMatchObject({ status: 503, json: { checks: { store: false } } })
    expect((await call('GET', '/', undefined, none)).text).toContain('/api/v1/tasks')
  })

  test('marks each answer with a request id, and says nothing of what it is made with', async () => {
    expect((await call('GET', '/healthz')).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    const own = await call('GET', '/healthz', undefined, { 'x-request-id': 'mine-1' })
    expect(own.headers.get('x-request-id')).toBe('mine-1')
    expect(own.headers.get('x-powered-by')).toBeNull()
    expect(own.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('close() ends connections that idle, and is harmless twice', async () => {
    const idle = connect(door.http.port, '127.0.0.1')
    await new Promise<void>((resolve) => idle.once('connect', resolve))
    await new Promise<void>((resolve) =>
      rawRequest({ port: door.http.port, path: '/healthz' }, (r) => r.resume().once('end', resolve)).end(),
    )
    const gone = new Promise((resolve) => idle.once('close', resolve))
    await Promise.all([door.close(), door.close(), gone])
  })
})
