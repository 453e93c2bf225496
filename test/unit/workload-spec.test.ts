import { describe, expect, test } from 'vitest'
import { nextFiring, scheduleFault, timezoneFault } from '../../schemas/cron.ts'
import { readWorkload } from '../../schemas/read-workload.ts'
import { WorkloadSpec, workloadFields } from '../../schemas/workload.ts'

const base = { name: 'ticker', type: 'service', run_mode: 'forever', command: ['sleep', '5'] }
const scheduled = { ...base, run_mode: 'schedule', schedule: '*/5 * * * *' }

const read = (over: object, from: object = base): WorkloadSpec => {
  const result = readWorkload({ ...from, ...over })
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  return result.workload
}
const faultsIn = (over: object, from: object = base) => {
  const result = readWorkload({ ...from, ...over })
  return result.ok ? [] : result.faults
}
/** Each as `field code`. */
const faults = (over: object, from: object = base): string[] => faultsIn(over, from).map(({ field, code }) => `${field} ${code}`)

describe('readWorkload()', () => {
  test('fills in the defaults', () => {
    expect(read({})).toMatchObject({
      ...base,
      params: {},
      tags: [],
      env: {},
      restart: { delay_seconds: 5, max_delay_seconds: 300, crash_loop: { starts: 5, within_seconds: 60 } },
      stop_grace_seconds: 10,
    })
    expect(read({}).restart.policy).toBeUndefined()
    expect(read({}).timeout_seconds).toBeUndefined()
    expect(read({ command: undefined, module: 'agents.hello', params: { n: 1 } })).toMatchObject({
      entry_point: 'run',
      runtime: 'python',
      params: { n: 1 },
    })
    expect(read({})).not.toHaveProperty('runtime')
  })

  test('takes every field that has another name or kind in older files', () => {
    const spec = read({
      type: 'agent',
      run_mode: 'schedule',
      schedule: '*/5 * * * *',
      command: undefined,
      module: 'agents.hello',
      entry_point: 'main',
      params: { greeting: 'hi', list: [1, { deep: null }] },
      restart_delay: 10,
      timeout: 300,
      memory_limit_mb: 64,
      cpu_nice: -20,
      tags: ['demo'],
      version: '1.0',
    })
    expect(spec).toMatchObject({ timeout_seconds: 300, restart: { delay_seconds: 10 }, cpu_nice: -20, version: '1.0' })
    expect(Object.keys(spec).every((field) => field in workloadFields)).toBe(true)
  })

  test('reads what it gave as the same again', () => {
    const specs = [
      read({}),
      read({ restart_delay: 400, health: { tcp: '[::1]:80' }, depends_on: ['db'] }),
      read({}, scheduled),
      read({ command: undefined, module: 'm' }),
      read({ command: undefined, script: '#!/bin/sh', args: ['a'] }),
      read({ type: 'agent', command: undefined, prompt: 'tidy up' }),
    ]
    for (const spec of specs) {
      expect(readWorkload(spec)).toEqual({ ok: true, workload: spec })
      expect(readWorkload(JSON.parse(JSON.stringify(spec)))).toEqual({ ok: true, workload: spec })
      expect(WorkloadSpec.parse(spec)).toEqual(spec)
    }
  })

  test('takes aliases, and refuses one that contradicts its field under the name that was written', () => {
    for (const alias of ['restart_delay', 'restart_delay_seconds']) expect(read({ [alias]: 7 }).restart.delay_seconds).toBe(7)
    expect(read({ restart_delay: 7, restart: { delay_seconds: 7, jitter: 0 } }).restart).toMatchObject({
      delay_seconds: 7,
      jitter: 0,
    })
    expect(read({ timeout: 3, timeout_seconds: 3 }).timeout_seconds).toBe(3)
    expect(faults({ timeout: 3, timeout_seconds: 4 })).toEqual(['timeout ambiguous'])
    expect(faults({ restart_delay: 3, restart_delay_seconds: 4 })).toEqual(['restart_delay_seconds ambiguous'])
    expect(faults({ restart_delay: 3, restart: { delay_seconds: 4 } })).toEqual(['restart_delay ambiguous'])
    expect(faultsIn({ restart_delay: 'soon' })).toEqual([
      { field: 'restart_delay', code: 'invalid_type', message: 'must be a number, not text', accepted: ['number'] },
    ])
    expect(faults({ restart_delay: 3, restart: 'always' })).toEqual(['restart invalid_type'])
  })

  test('raises the longest wait to the first one, but not against what was said', () => {
    expect(read({ restart_delay: 400 }).restart.max_delay_seconds).toBe(400)
    expect(read({ restart_delay: 200 }).restart.max_delay_seconds).toBe(300)
    expect(faultsIn({ restart_delay: 400, restart: { max_delay_seconds: 350 } })).toMatchObject([
      { field: 'restart_delay', message: 'must be at most restart.max_delay_seconds, which is 350' },
    ])
  })

  test('refuses unknown fields at every level, with what was meant', () => {
    const near = (over: object): (string | undefined)[] =>
      faultsIn(over).map(({ field, accepted }) => `${field} → ${accepted?.[0]}`)
    expect(near({ memory_limit: 5 })).toEqual(['memory_limit → memory_limit_mb'])
    expect(near({ restart_dealy: 5 })).toEqual(['restart_dealy → restart_delay'])
    expect(near({ restart: { polcy: 'never' } })).toEqual(['restart.polcy → policy'])
    expect(near({ restart: { crash_loop: { stars: 3 } } })).toEqual(['restart.crash_loop.stars → starts'])
    expect(near({ health: { tcp: 'a:1', intervall_seconds: 3 } })).toEqual(['health.intervall_seconds → interval_seconds'])
    expect(near({ files: [{ path: 'a', content: '', mod: '0644' }] })).toEqual(['files.0.mod → mode'])
    expect(near({ depends_on: ['x', { name: 'db', condtion: 'started' }] })).toEqual(['depends_on.1.condtion → condition'])
    expect(faults(JSON.parse('{"__proto__": 1}'))).toEqual(['__proto__ unknown_field'])
  })

  test('wants exactly one thing to run, and only what belongs to it', () => {
    expect(faults({ command: undefined })).toEqual(['command required'])
    expect(faults({ script: '#!/bin/sh' })).toEqual(['script ambiguous'])
    expect(faults({ command: undefined, prompt: 'x' })).toEqual(['prompt ambiguous'])
    expect(faults({ args: ['a'] })).toEqual(['args ambiguous'])
    expect(faults({ args: ['a'], command: undefined, module: 'm' })).toEqual(['args ambiguous'])
    for (const over of [{ entry_point: 'run' }, { runtime: 'node' }, { params: { a: 1 } }])
      expect(faults(over)).toEqual([`${Object.keys(over)[0]} ambiguous`])
    expect(faults({ command: null })).toEqual(['command invalid_type'])
  })

  test('wants of each run mode what it needs, and nothing of another', () => {
    expect(faults({ run_mode: 'schedule' })).toEqual(['schedule required'])
    expect(faults({ run_mode: 'n_times' })).toEqual(['max_runs required'])
    for (const over of [
      { schedule: '@daily' },
      { timezone: 'UTC' },
      { overlap: 'queue' },
      { missed: 'all' },
      { missed_within_seconds: 5 },
      { jitter_seconds: 5 },
      { max_runs: 3 },
    ])
      expect(faults(over)).toEqual([`${Object.keys(over)[0]} ambiguous`])
    expect(faults({ schedule: '@daily', overlap: 'queue', jitter_seconds: 3 }, scheduled)).toEqual([])
    expect(faults({ run_mode: 'n_times', max_runs: 3 })).toEqual([])
    expect(faults({ restart: { policy: 'never' } })).toEqual([])
  })

  test('w18: checks cron and timezone, also that the schedule fires some day', () => {
    expect(faultsIn({ schedule: '61 * * * *' }, scheduled)).toMatchObject([
      {
        field: 'schedule',
        code: 'invalid_schedule',
        message: expect.stringContaining('invalid value for minute'),
        accepted: expect.any(Array),
      },
    ])
    expect(faults({ schedule: '0 0 30 2 *' }, scheduled)).toEqual(['schedule invalid_schedule'])
    expect(faultsIn({ timezone: 'Europa/Berlin' }, scheduled)).toMatchObject([{ field: 'timezone', accepted: ['Europe/Berlin'] }])
  })

  test('wants exactly one kind of check', () => {
    expect(faults({ health: {} })).toEqual(['health required'])
    expect(faults({ health: { command: 'true', tcp: 'localhost:80' } })).toEqual(['health ambiguous'])
    expect(faults({ health: { tcp: 'localhost:70000' } })).toEqual(['health.tcp invalid'])
    expect(faults({ health: { log: { within_seconds: 5 } } })).toEqual([])
  })

  test('takes dependencies by name, but not itself and none twice', () => {
    expect(read({ depends_on: ['db', { name: 'init', condition: 'completed' }] }).depends_on).toEqual([
      { name: 'db', condition: 'healthy' },
      { name: 'init', condition: 'completed' },
    ])
    expect(faults({ depends_on: ['ticker', 'db', 'db'] })).toEqual(['depends_on.0 cycle', 'depends_on.2 duplicate'])
  })

  test.each(['/etc/passwd', '../x', 'a/../../x', 'a//b', './a', '.', 'a/', '..'])('keeps files out of %j', (path) => {
    expect(faults({ files: [{ path, content: '' }] })).toEqual(['files.0.path invalid_path'])
  })

  test('refuses files of which one would stand in the place of another', () => {
    const files = (...paths: string[]) => ({ files: paths.map((path) => ({ path, content: '' })) })
    expect(faults(files('a', 'a'))).toEqual(['files.1.path duplicate'])
    expect(faults(files('a', 'a/b'))).toEqual(['files.1.path duplicate'])
    expect(faults(files('a/b', 'a'))).toEqual(['files.1.path duplicate'])
    expect(faults(files('a', 'ab', 'c/a', '..a'))).toEqual([])
  })

  test('says in words what is missing, and what YAML has made a number', () => {
    expect(faultsIn({}, {})).toMatchObject([
      { field: 'name', code: 'required', message: 'is required' },
      {
        field: 'type',
        code: 'required',
        message: 'is required: one of agent, script, service',
        accepted: ['agent', 'script', 'service'],
      },
      { field: 'run_mode', code: 'required' },
      { field: 'command', code: 'required' },
    ])
    const quotes = (value: unknown) => `must be text: write it in quotes, as in "${value}"`
    expect(faultsIn({ version: 1.5 })).toMatchObject([{ field: 'version', message: quotes(1.5) }])
    expect(faultsIn({ env: { PORT: 80, DEBUG: true } })).toEqual([])
    expect(faultsIn({ env: { PORT: [80] } })).toMatchObject([{ field: 'env.PORT' }])
    expect(faultsIn({ command: ['sleep', 5] })).toMatchObject([{ field: 'command.1', message: quotes(5) }])
    expect(faultsIn({ files: [{ path: 'a', content: '', mode: 644 }] })).toMatchObject([
      { field: 'files.0.mode', message: quotes(644) },
    ])
    expect(faultsIn({ cpu_nice: 20 })).toMatchObject([{ message: 'must be at most 19' }])
    expect(faultsIn({ timeout: 0 })).toMatchObject([{ field: 'timeout', message: 'must be more than 0' }])
    expect(faultsIn({ command: [] })).toMatchObject([{ message: 'must have at least 1 items' }])
    expect(faultsIn({ tags: 'x' })).toMatchObject([{ message: 'must be a list, not text' }])
  })

  test('refuses what is no workload, too deep, or not to be had as JSON', () => {
    for (const raw of [null, 5, 'x', [], undefined])
      expect(readWorkload(raw)).toMatchObject({ ok: false, faults: [{ field: '(input)' }] })
    let deep: unknown = 1
    for (let i = 0; i < 100; i++) deep = [deep]
    expect(faults({ command: undefined, module: 'm', params: { deep } })).toEqual(['(input) too_deep'])
    expect(faults({ command: undefined, module: 'm', params: { a: [{ b: Number.NaN }] } })).toEqual(['params.a.0.b invalid'])
  })
})

describe('scheduleFault()', () => {
  test.each([
    '*/5 * * * *',
    '0 30 2 * * MON-FRI',
    '@hourly',
    '@daily',
    '@yearly',
    ' 0  2 * * * ',
    '0 0 29 2 *',
    '0 0 * 2 MON#5',
    '0 0 L * *',
  ])('of %j is none', (schedule) => expect(scheduleFault(schedule)).toBeUndefined())

  test.each([
    '',
    '* * * *',
    '* * * * * * *',
    '2030-01-01T00:00:00',
    '@reboot',
    '@every 5m',
    'soon',
    '*/0 * * * *',
    '0 24 * * *',
    '0 0 32 * *',
    '0 0 30 2 *',
    '0 0 31 2,4,6 *',
    '1,,2 * * * *',
    '∞ * * * *',
  ])('of %j is one', (schedule) => expect(scheduleFault(schedule)).toMatch(/cron expression|never fires/))
})

describe('timezoneFault()', () => {
  test.each(['UTC', 'Europe/Berlin', 'america/new_york', 'Australia/Lord_Howe'])('of %s is none', (timezone) =>
    expect(timezoneFault(timezone)).toBeUndefined(),
  )

  test.each(['+02:00', 'Mars/Base', '', 'local', '../UTC'])('of %j is one', (timezone) =>
    expect(timezoneFault(timezone)).toBeDefined(),
  )
})

test('nextFiring() goes by the timezone', () => {
  const at = Date.parse('2026-01-10T12:00:00Z')
  expect(nextFiring('0 3 * * *', 'America/New_York', at)).toBe(Date.parse('2026-01-11T08:00:00Z'))
  expect(nextFiring('0 3 * * *', 'UTC', at)).toBe(Date.parse('2026-01-11T03:00:00Z'))
})
