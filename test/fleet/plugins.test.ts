import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type LoneDevice, linesOf, startLoneDevice } from '../harness/lone-device.ts'

let folder: string
let device: LoneDevice
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-plugins-'))
})
afterEach(async () => {
  await device.close()
  rmSync(folder, { recursive: true, force: true })
})

const put = (name: string, text: string): void => writeFileSync(join(folder, name), text)
const start = async (): Promise<void> => {
  device = await startLoneDevice({ env: { SKEIN_PLUGINS: folder } })
}
const texts = async (workload: string, stream = 'o'): Promise<string[]> =>
  (await device.records(workload)).filter((one) => one[2] === stream).map((one) => String(one[3]))

const greeter = `
export const workloadTypes = {
  greeter: {
    validate: ({ whom }) => (typeof whom === 'string' ? [] : [{ field: 'whom', message: 'must be text' }]),
    command: ({ whom, script }, { name, device, labels, folder }) =>
      script ?? {
        command: ['sh', '-c', 'echo "$GREETING $OWN $SKEIN_WORKLOAD_TYPE"; echo "$0"; exec sleep 1000', [whom, name, device, labels.os, folder].join(' ')],
        env: { GREETING: 'hello', OWN: 'of the plugin' },
      },
  },
  moody: { command: () => { throw new Error('not today') } },
}
`

describe('w13: plugins are called', () => {
  test('w13: validate and command of a workload type; what it runs has a log', async () => {
    put('greeter.mjs', greeter)
    await start()
    const greet = (params: object) => ({ name: 'greet', type: 'greeter', params, env: { OWN: 'of the workload' } })
    device.write([greet({ whom: 5 })])
    await expect(device.apply()).rejects.toMatchObject({
      code: 'invalid',
      details: [expect.objectContaining({ field: 'workloads.0.params.whom', message: 'must be text', line: expect.any(Number) })],
    })
    device.write([greet({ whom: 'world' })])
    expect(await device.apply()).toMatchObject({ added: ['greet'] })
    await eventually('it has greeted', async () => (await texts('greet')).length === 2)
    expect(await texts('greet')).toEqual([
      'hello of the workload greeter',
      `world greet local linux ${join(device.paths.workloads, 'greet')}`,
    ])
    expect(await device.get('greet')).toMatchObject({ state: 'running', type: 'greeter' })
    expect((await device.cli(['local', 'status'])).stdout).toContain('"types":["greeter","moody"]')
    // A type that is nearly one of those that are there.
    device.write([{ name: 'other', type: 'greter' }])
    await expect(device.apply()).rejects.toMatchObject({
      message: expect.stringMatching(/must be one of agent, script, service, greeter, moody; .*did you mean "greeter"/),
    })
  })

  test('w13: an exception of command is a failed run that says so', async () => {
    put('greeter.mjs', greeter)
    await start()
    device.write([{ name: 'moody', type: 'moody', run_mode: 'n_times', max_runs: 2, restart_delay: 0.05 }])
    await device.apply()
    const one = await device.when('failed', 'moody', ({ state }) => state === 'failed')
    expect(one.runs.map((run) => [run.state, run.reason])).toEqual(Array(2).fill(['failed', 'cannot_start: not today']))
  })

  test('w13: a health check, with the run and its params; its exception and its delay are failures', async () => {
    put(
      'checks.mjs',
      `import { appendFileSync, existsSync } from 'node:fs'
       export const healthChecks = {
         asks: async (run) => {
           appendFileSync(run.params.witness, JSON.stringify(run) + '\\n')
           return existsSync(run.params.witness + '.bad') ? { healthy: false, details: 'it has gone bad' } : true
         },
         throws: async () => { throw new Error('cannot see it') },
         hangs: () => new Promise(() => undefined),
       }`,
    )
    await start()
    const witness = join(device.root, 'witness')
    const quick = { interval_seconds: 0.1, timeout_seconds: 0.2, unhealthy_after: 1, on_unhealthy: 'report' }
    const command = ['sleep', '1000']
    device.write([
      { name: 'well', command, health: { plugin: 'asks', params: { witness }, ...quick } },
      { name: 'thrown', command, health: { plugin: 'throws', ...quick } },
      { name: 'hung', command, health: { plugin: 'hangs', ...quick } },
    ])
    await device.apply()
    const well = await device.when('healthy', 'well', ({ health }) => health === 'healthy')
    expect(JSON.parse(linesOf(witness)[0] ?? '')).toEqual({
      ...{ name: 'well', pid: well.pid, run_id: well.run_id, params: { witness } },
      started_at: well.last_started_at,
    })
    writeFileSync(`${witness}.bad`, '')
    const unhealthy = (name: string) => device.when('unhealthy', name, ({ health }) => health === 'unhealthy')
    expect((await unhealthy('well')).reason).toBe('it has gone bad')
    expect((await unhealthy('thrown')).reason).toBe('cannot see it')
    expect((await unhealthy('hung')).reason).toMatch(/no answer within 0.2 s|has not answered the check before/)
  })

  test('w13: log processors, in their order; they outlive a kill -9 of the daemon', async () => {
    put(
      'logs.mjs',
      `export const logProcessors = {
         quiet: (workload, line) => (line.includes('noise') ? null : line),
         loud: (workload, line, stream) => workload + '/' + stream + ': ' + line.toUpperCase(),
       }`,
    )
    await start()
    const script =
      'i=0; while [ ! -e "$0" ]; do echo line $i; echo noise; i=$((i+1)); sleep 0.02; done; echo secret oops >&2; exit 3'
    const witness = join(device.root, 'witness')
    const log = { processors: ['quiet', 'loud'] }
    device.write([{ name: 'chatty', command: ['sh', '-c', script, witness], log, restart: { delay_seconds: 60 } }])
    await device.apply()
    await eventually('it has said something', async () => (await texts('chatty')).length > 5)
    const { pid } = await device.get('chatty')
    await device.kill9()
    await device.start()
    expect(await device.get('chatty')).toMatchObject({ pid, state: 'running', run_count: 1 })
    const before = (await texts('chatty')).length
    await eventually('it says more', async () => (await texts('chatty')).length > before + 5)
    writeFileSync(witness, '')
    const ended = await device.when('ended', 'chatty', ({ state }) => state === 'backoff')
    expect(ended.last_error).toBe('exited with 3: chatty/e: SECRET OOPS')
    const out = await texts('chatty')
    expect(
      out.every((line) => /^chatty\/o: LINE \d+$/.test(line)),
      out.join(),
    ).toBe(true)
    expect(await texts('chatty', 'e')).toEqual(['chatty/e: SECRET OOPS'])
    // A kill between a read and its write takes that read along.
    const numbers = out.map((line) => Number(line.split(' ').at(-1)))
    expect(numbers.filter((one, i) => i > 0 && one !== (numbers[i - 1] ?? 0) + 1).length).toBeLessThanOrEqual(1)
  })

  test('w13: a plugin that is broken is shown, and stops neither the daemon nor the others', async () => {
    put('a-broken.mjs', 'export const workloadTypes = {')
    put('b-throws.mjs', 'throw new Error("no pump")')
    put('c-shape.js', 'exports.healthChecks = { asks: 5 }')
    put('d-fine.js', 'exports.logProcessors = { fine: (workload, line) => line }')
    put('e-again.mjs', 'export const logProcessors = { fine: (workload, line) => line }')
    put('notes.txt', 'no plugin')
    await start()
    const { plugins } = await device.ask('status')
    expect(plugins).toEqual([
      { file: join(folder, 'a-broken.mjs'), error: expect.stringContaining('cannot be loaded: ') },
      { file: join(folder, 'b-throws.mjs'), error: 'cannot be loaded: no pump' },
      { file: join(folder, 'c-shape.js'), error: 'healthChecks["asks"] must be a function' },
      { file: join(folder, 'd-fine.js'), provides: { types: [], health_checks: [], log_processors: ['fine'] } },
      { file: join(folder, 'e-again.mjs'), error: expect.stringContaining('provides log processor "fine", as does ') },
    ])
    expect(device.daemonLog()).toContain('cannot use a plugin')
    const command = ['sleep', '1000']
    device.write([
      { name: 'plain', command },
      { name: 'needy', command, health: { plugin: 'asks' } },
    ])
    await expect(device.apply()).rejects.toMatchObject({
      message: expect.stringContaining('no plugin here provides a health check "asks"'),
    })
    device.write([{ name: 'plain', command, log: { processors: ['fine'] } }])
    await device.apply()
    await device.when('running', 'plain', ({ state }) => state === 'running')
  })
})

describe('a plugin that has gone', () => {
  test('its workloads are kept, not run, and say so; what runs goes on; when it is back they start', async () => {
    put('greeter.mjs', greeter)
    put('logs.mjs', 'export const logProcessors = { hide: () => "hidden" }')
    put('checks.mjs', 'export const healthChecks = { fine: () => true }')
    await start()
    const secret = ['sh', '-c', 'while :; do echo secret; sleep 0.05; done']
    const tick = { run_mode: 'schedule', schedule: '* * * * * *', missed: 'skip' }
    device.write([
      { name: 'greet', type: 'greeter', params: { whom: 'world' } },
      { name: 'tick', type: 'greeter', params: { whom: 'x', script: 'true' }, ...tick },
      { name: 'hidden', command: secret, log: { processors: ['hide'] } },
      { name: 'checked', command: ['sleep', '1000'], health: { plugin: 'fine', interval_seconds: 0.2 } },
    ])
    await device.apply()
    for (const name of ['greet', 'hidden', 'checked']) await device.when('running', name, ({ state }) => state === 'running')
    const greet = await device.get('greet')
    await device.kill9()
    for (const name of ['greeter.mjs', 'logs.mjs', 'checks.mjs']) unlinkSync(join(folder, name))
    await device.start()

    // What ran goes on, and what nobody can hide is not kept.
    expect(await device.get('greet')).toMatchObject({ state: 'running', pid: greet.pid })
    const reason = 'the plugin that provides log processor "hide" is not there'
    await eventually('it is said', async () => (await texts('hidden', 's')).includes(`no output is kept: ${reason}`))
    expect((await texts('hidden')).filter((line) => line !== 'hidden')).toEqual([])
    expect(await device.get('checked')).toMatchObject({ state: 'running', health: 'unknown' })

    // It does not start again.
    const gone = 'the plugin that provides type "greeter" is not there'
    await device.ask('restart', { workload: 'greet' })
    expect(await device.when('kept', 'greet', ({ state }) => state === 'registered')).toMatchObject({ reason: gone, pid: null })
    expect(await device.get('tick')).toMatchObject({ state: 'registered', reason: gone })
    await expect(device.ask('start', { workload: 'greet' })).rejects.toMatchObject({ code: 'unavailable', message: gone })
    await expect(device.ask('env', { workload: 'greet' })).rejects.toMatchObject({ code: 'unavailable', message: gone })
    await device.ask('restart', { workload: 'hidden' })
    expect(await device.when('kept', 'hidden', ({ state }) => state === 'registered')).toMatchObject({ reason })

    put('greeter.mjs', greeter)
    await device.kill9()
    await device.start()
    await device.when('it runs again', 'greet', ({ state }) => state === 'running')
    const ticks = (await device.get('tick')).run_count
    await eventually('it fires again', async () => (await device.get('tick')).run_count > ticks)
  })
})

test('skein validate loads plugins, and calls validate', async () => {
  put('greeter.mjs', greeter)
  await start()
  const file = device.write([{ name: 'greet', type: 'greeter', params: { whom: 5 } }])
  const without = await device.cli(['validate', file])
  expect(without).toMatchObject({ code: 1, stderr: expect.stringContaining('a plugin may provide others; give --plugins DIR') })
  const found = await device.cli(['validate', file, '--plugins', folder])
  expect(found.stderr).toMatch(/^.*:\d+: workloads\.0\.params\.whom: must be text\nskein: 1 fault\n$/)
  device.write([{ name: 'greet', type: 'greeter', params: { whom: 'x' } }])
  expect(await device.cli(['validate', file, '--plugins', folder])).toMatchObject({ code: 0, stderr: '' })
  put('broken.mjs', 'oops(')
  const broken = await device.cli(['validate', file, '--plugins', folder])
  expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining('broken.mjs: (file): cannot be loaded: ') })
})
