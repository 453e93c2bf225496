import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadPlugins } from '../../base/plugins/load.ts'
import { noPlugins, type Plugins, pluginsOf } from '../../base/plugins/plugins.ts'
import { type HealthPlugin, readModule } from '../../base/plugins/read-module.ts'
import { askPlugin } from '../../device/workloads/health/ask-plugin.ts'
import { missingPlugin } from '../../device/workloads/plugin-needs.ts'
import { payloadOf } from '../../device/workloads/start-order.ts'
import { typedWork } from '../../device/workloads/typed-work.ts'
import { readWorkload } from '../../schemas/read-workload.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'

const pluginsWith = (exported: Readonly<Record<string, unknown>>): Plugins => {
  const plugins = pluginsOf([{ file: 'a.mjs', read: readModule(exported) }])
  expect(plugins.shown).toEqual([{ file: 'a.mjs', provides: expect.anything() }])
  return plugins
}
const wrongIn = (exported: unknown): string => {
  const read = readModule(exported)
  return read.ok ? '' : read.error
}

describe('loadPlugins()', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skein-plugins-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text)

  test('loads modules of both kinds in the order of their names, and nothing else', async () => {
    put('b.mjs', 'export const logProcessors = { b: (w, line) => line }')
    put('a.js', 'module.exports = { healthChecks: { a: () => true } }')
    put('.hidden.mjs', 'throw new Error("never")')
    put('c.cjs', 'throw new Error("never")')
    put('d.mjs.bak', 'throw new Error("never")')
    const { shown, known } = await loadPlugins(folder)
    expect(shown.map(({ file }) => file)).toEqual([join(folder, 'a.js'), join(folder, 'b.mjs')])
    expect(known).toMatchObject({ types: [], healthChecks: ['a'], logProcessors: ['b'] })
  })

  test('tells what cannot be loaded, a folder that is not there, and a module that never is', async () => {
    put('a.mjs', 'export const x = ')
    put('b.mjs', 'await new Promise(() => setInterval(() => undefined, 1000).unref()); export const x = 1')
    const now = { now: Date.now, mono: () => 0, soon: setImmediate, after: (_: number, call: () => void) => timerOf(call) }
    expect((await loadPlugins(folder, now)).shown).toEqual([
      { file: join(folder, 'a.mjs'), error: expect.stringContaining('cannot be loaded: ') },
      { file: join(folder, 'b.mjs'), error: 'cannot be loaded: it is not there after 10 s' },
    ])
    const gone = join(folder, 'gone')
    expect((await loadPlugins(gone)).shown).toEqual([{ file: gone, error: expect.stringContaining('cannot be read: ENOENT') }])
  })
  const timerOf = (call: () => void) => {
    const timer = setTimeout(call, 300)
    return { cancel: () => clearTimeout(timer) }
  }

  test('loads the examples', async () => {
    const { shown, known } = await loadPlugins(fileURLToPath(new URL('../../examples/plugins', import.meta.url)))
    expect(shown.filter((one) => 'error' in one)).toEqual([])
    expect(known).toMatchObject({ types: ['container'], healthChecks: ['freshness'], logProcessors: ['redact'] })
  })
})

describe('readModule()', () => {
  test('says what is wrong with a shape', () => {
    expect(wrongIn({})).toBe('exports none of workloadTypes, healthChecks, logProcessors')
    expect(wrongIn({ healthCheck: {} })).toContain('it exports "healthCheck", did you mean "healthChecks"?')
    expect(wrongIn({ workloadTypes: [] })).toBe('workloadTypes must be an object with what it provides by name')
    expect(wrongIn({ workloadTypes: { a: {} } })).toBe('workloadTypes["a"] must have a function "command"')
    expect(wrongIn({ workloadTypes: { a: 5 } })).toBe('workloadTypes["a"] must have a function "command"')
    expect(wrongIn({ workloadTypes: { a: { command: () => '', validate: 5 } } })).toContain('must be a function')
    expect(wrongIn({ workloadTypes: { script: { command: () => '' } } })).toContain('a type that there is already')
    expect(wrongIn({ logProcessors: { 'A b': () => '' } })).toContain('must have a name of 1 to 63')
    expect(wrongIn({ healthChecks: { a: 1 }, logProcessors: { b: 2 } })).toBe(
      'healthChecks["a"] must be a function; logProcessors["b"] must be a function',
    )
  })

  test('a name that another file provides already leaves out the later one as a whole', () => {
    const one = readModule({ healthChecks: { a: () => true } })
    const other = readModule({ healthChecks: { a: () => false }, logProcessors: { b: () => '' } })
    const plugins = pluginsOf([
      { file: 'a.mjs', read: one },
      { file: 'b.mjs', read: other },
    ])
    expect(plugins.shown[1]).toEqual({ file: 'b.mjs', error: 'provides health check "a", as does a.mjs' })
    expect(plugins.known).toMatchObject({ healthChecks: ['a'], logProcessors: [] })
  })
})

const base = { name: 'x', run_mode: 'forever' }
const plugins = pluginsWith({
  workloadTypes: {
    box: {
      validate: (params: { image?: unknown; how?: unknown }) => {
        if (params.how === 'throws') throw new Error('it throws')
        if (params.how === 'text') return 'no good'
        if (params.how === 'odd') return Promise.reject(new Error('nobody listens'))
        if (params.how === 'changes') params.image = 'another'
        return params.image === undefined ? [{ field: 'image', message: 'is missing' }] : undefined
      },
      command: ({ answer }: { answer: unknown }) => {
        if (answer === 'throws') throw new Error('no box today')
        return answer
      },
    },
  },
  healthChecks: { fresh: () => true },
  logProcessors: { hide: (_: string, line: string) => line },
})
const faults = (over: object, known: Plugins['known'] | undefined = plugins.known): string[] => {
  const read = readWorkload({ ...base, ...over }, known)
  return read.ok ? [] : read.faults.map(({ field, message }) => `${field}: ${message}`)
}
const boxOf = (params: object): WorkloadSpec => {
  const read = readWorkload({ ...base, type: 'box', params: { image: 'i', ...params } }, plugins.known)
  if (!read.ok) throw new Error(JSON.stringify(read.faults))
  return read.workload
}

describe('readWorkload() with plugins', () => {
  test('accepts what they provide, and keeps params as they were written', () => {
    expect(faults({ type: 'box', params: { image: 'i' } })).toEqual([])
    expect(boxOf({ how: 'changes' }).params).toEqual({ image: 'i', how: 'changes' })
    const read = readWorkload(
      { ...base, type: 'service', command: 'x', health: { plugin: 'fresh', params: { a: 1 } }, log: { processors: ['hide'] } },
      plugins.known,
    )
    expect(read).toMatchObject({
      ok: true,
      workload: { health: { plugin: 'fresh', params: { a: 1 } }, log: { processors: ['hide'] } },
    })
    expect(read.ok && readWorkload(JSON.parse(JSON.stringify(read.workload)), plugins.known)).toEqual(read)
  })

  test('refuses what nobody provides, with what there is', () => {
    expect(faults({ type: 'bax' })).toEqual([
      'type: must be one of agent, script, service, box; no plugin here provides "bax", did you mean "box"?',
    ])
    const alone = readWorkload({ ...base, type: 'servise', command: 'x' })
    expect(alone).toMatchObject({
      faults: [
        { field: 'type', message: 'must be one of agent, script, service; a plugin may provide others, did you mean "service"?' },
      ],
    })
    const service = { type: 'service', command: 'x' }
    expect(faults({ ...service, health: { plugin: 'frsh' } })).toEqual([
      'health.plugin: must be one of fresh; no plugin here provides "frsh", did you mean "fresh"?',
    ])
    expect(faults({ ...service, log: { processors: ['x'] } }, noPlugins.known)).toEqual([
      'log.processors.0: no plugin here provides a log processor "x"',
    ])
    expect(readWorkload({ ...base, ...service, health: { plugin: 'fresh' } })).toMatchObject({
      faults: [{ field: 'health.plugin', code: 'unknown_plugin' }],
    })
  })

  test('refuses what does not belong together', () => {
    const box = { type: 'box', params: { image: 'i' } }
    expect(faults({ ...box, command: 'x', args: ['a'] })).toEqual([
      'command: stands beside type box, whose plugin says what runs',
      'args: stands beside type box, whose plugin says what runs',
    ])
    expect(faults({ ...box, health: { tcp: 'a:1', params: {} } })).toEqual([
      expect.stringContaining('health.params: belongs to a check'),
    ])
    expect(faults({ ...box, health: { tcp: 'a:1', plugin: 'fresh' } })).toEqual([
      expect.stringContaining('health: must hold exactly one'),
    ])
    for (const output of ['file', 'none'])
      expect(faults({ ...box, output, log: { processors: ['hide'] } })).toEqual([
        expect.stringContaining('log.processors: belongs to output pipe'),
      ])
  })

  test('tells what validate finds, in the field of params', () => {
    const found = (params: object): string[] => faults({ type: 'box', params })
    expect(found({})).toEqual(['params.image: is missing'])
    expect(found({ how: 'text' })).toEqual(['params: no good'])
    expect(found({ how: 'throws' })).toEqual(['params: it throws'])
    expect(found({ how: 'odd' })).toEqual([expect.stringContaining('params: cannot be checked')])
  })
})

describe('typedWork()', () => {
  const context = { name: 'x', device: 'd', labels: {}, folder: '/f' }
  const work = (answer: unknown) => typedWork(plugins, { type: 'box', params: { answer } }, context)

  test('takes a line, words, or more; and refuses anything else', () => {
    expect(work('a b')).toEqual({ command: 'a b' })
    expect(work(['a', 'b'])).toEqual({ command: ['a', 'b'] })
    expect(work({ script: '#!/bin/sh\n', env: { A: '1' }, cwd: '/c' })).toEqual({
      script: '#!/bin/sh\n',
      env: { A: '1' },
      cwd: '/c',
    })
    expect(() => work('throws')).toThrow('no box today')
    for (const answer of [
      undefined,
      null,
      5,
      '',
      [],
      [5],
      {},
      { command: 'a', script: '#!/b' },
      { comand: 'a' },
      { env: { A: 1 } },
    ])
      expect(() => work(answer), JSON.stringify(answer)).toThrow('the plugin of type "box" gives no command')
    expect(() => typedWork(noPlugins, { type: 'box', params: {} }, context)).toThrow(
      'the plugin that provides type "box" is not there',
    )
  })

  test('what the workload says itself goes before what the plugin says', () => {
    const place = { fleet: 'f', device: 'd', folder: '/own', file: '/w/a.yaml', output: '/o' }
    const spec = { ...boxOf({}), env: { A: 'workload' } }
    const typed = () => ({ command: 'x', env: { A: 'plugin', B: 'plugin' }, cwd: 'sub' })
    expect(payloadOf(spec, { ...place, typed })).toEqual({ command: 'x', env: { A: 'workload', B: 'plugin' }, cwd: '/w/sub' })
    expect(payloadOf({ ...spec, cwd: '/there' }, { ...place, typed }).cwd).toBe('/there')
  })

  test('missingPlugin() names the first that is not there', () => {
    const spec = boxOf({})
    expect(missingPlugin(spec, plugins)).toBeNull()
    expect(missingPlugin(spec, noPlugins)).toBe('the plugin that provides type "box" is not there')
    const hidden = { ...spec, type: 'service', log: { ...spec.log, processors: ['hide', 'gone'] } }
    expect(missingPlugin(hidden, plugins)).toBe('the plugin that provides log processor "gone" is not there')
  })
})

describe('askPlugin()', () => {
  const run = () => ({ name: 'x', pid: 1, run_id: 'r', started_at: null, params: {} })
  const signal = () => new AbortController().signal
  const ask = (check: HealthPlugin) => askPlugin(check, run)(signal())

  test('reads the answer, and takes an exception for a failure', async () => {
    expect(await ask(() => true)).toEqual({ kind: 'pass' })
    expect(await ask(async () => ({ healthy: true, details: 'fine' }))).toEqual({ kind: 'pass' })
    expect(await ask(async () => ({ healthy: false, details: 'stale' }))).toEqual({ kind: 'fail', reason: 'stale' })
    expect(await ask(() => false)).toMatchObject({ kind: 'fail' })
    expect(await ask(() => 'yes')).toMatchObject({ kind: 'fail', reason: expect.stringContaining('must answer') })
    const thrown = () => {
      throw new Error('blind')
    }
    expect(await ask(thrown)).toEqual({ kind: 'fail', reason: 'blind' })
    expect(await ask(async () => thrown())).toEqual({ kind: 'fail', reason: 'blind' })
  })

  test('does not wait when it is aborted, and asks nothing more until the answer has come', async () => {
    let answer = (_: boolean): void => undefined
    let calls = 0
    const probe = askPlugin(() => {
      calls++
      return new Promise((resolve) => {
        answer = resolve
      })
    }, run)
    const abort = new AbortController()
    const first = probe(abort.signal)
    abort.abort()
    expect(await first).toMatchObject({ kind: 'fail' })
    expect(await probe(signal())).toMatchObject({ kind: 'fail', reason: expect.stringContaining('has not answered') })
    expect(calls).toBe(1)
    answer(true)
    await new Promise(setImmediate)
    const next = probe(signal())
    answer(true)
    expect([await next, calls]).toEqual([{ kind: 'pass' }, 2])
  })
})
