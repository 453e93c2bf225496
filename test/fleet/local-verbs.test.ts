import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LoneDevice, startLoneDevice } from '../harness/lone-device.ts'

let device: LoneDevice
beforeAll(async () => {
  device = await startLoneDevice({ env: { DAEMONS_OWN: 'secret' } })
  mkdirSync(join(device.folder, 'sub'))
  writeFileSync(join(device.folder, 'vars.yaml'), 'who: you\n')
  device.write([
    {
      ...{ name: 'ticker', cwd: 'sub', env: { GREETING: "it's", GREETED: '{{ vars.who }}' } },
      command: ['sh', '-c', 'echo $$ >>"$0"; exec sleep 1000', join(device.root, 'witness')],
    },
    {
      name: 'job',
      type: 'script',
      run_mode: 'n_times',
      max_runs: 1,
      script: '#!/bin/sh\necho "args: $1 $GREETING"\nexit 5\n',
      args: ['one'],
    },
  ])
  await device.apply()
  await device.when('it runs', 'ticker', ({ state }) => state === 'running')
  await device.when('it has run', 'job', ({ state }) => state === 'failed')
})
afterAll(async () => {
  await device.close()
})

const local = (...words: string[]) => device.cli(['local', ...words])

test('env prints what a shell reads back as the variables of the workload, and nothing of the daemon', async () => {
  const { code, stdout } = await local('env', 'ticker')
  expect(code).toBe(0)
  expect(stdout).toContain(`GREETING='it'\\''s'\n`)
  const { GREETING, GREETED, DAEMONS_OWN, SKEIN_WORKLOAD } = JSON.parse((await local('env', '--json', 'ticker')).stdout)
  expect([GREETING, GREETED, DAEMONS_OWN, SKEIN_WORKLOAD]).toEqual(["it's", 'you', undefined, 'ticker'])
})

test('exec runs in the environment and folder of the workload, and its exit code and streams are ours', async () => {
  const line = await local('exec', 'ticker', 'echo "$GREETING"; pwd; echo bad >&2; exit 9')
  expect([line.code, line.stdout, line.stderr]).toEqual([9, `it's\n${join(device.folder, 'sub')}\n`, 'bad\n'])
  const words = await local('exec', 'ticker', '--', 'printf', '%s|', 'a b', '--json')
  expect([words.code, words.stdout]).toEqual([0, 'a b|--json|'])
  const late = await local('exec', '--timeout', '0.3', 'ticker', '--', 'sleep', '1000')
  expect([late.code, late.stderr]).toEqual([124, expect.stringContaining('longer than 0.3 s')])
  const missing = await local('exec', 'ticker', '--', 'no-such-program')
  expect([missing.code, missing.stderr]).toEqual([127, expect.stringContaining('no-such-program')])
  const unknown = await local('exec', 'tikcer', '--', 'true')
  expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('did you mean "ticker"?')])
  expect((await local('exec', 'ticker')).code).toBe(2)
})

test('run does once what the workload does, beside the device, which counts no run', async () => {
  const { code, stdout } = await local('run', 'job')
  expect([code, stdout]).toEqual([5, 'args: one \n'])
  const { run_count, runs } = await device.get('job')
  expect([run_count, runs.length]).toEqual([1, 1])
})

test('shell is one where the workload runs', async () => {
  const { code, stdout } = await device.cli(['local', 'shell', 'ticker'], {
    env: { SHELL: '/bin/sh' },
    input: 'echo "$GREETING in $PWD"\nexit 7\n',
  })
  expect([code, stdout]).toEqual([7, `it's in ${join(device.folder, 'sub')}\n`])
})

test('none of them has touched what runs', async () => {
  expect(readFileSync(join(device.root, 'witness'), 'utf8').split('\n')).toHaveLength(2)
  expect(await device.get('ticker')).toMatchObject({ state: 'running', run_count: 1 })
})

test('a flag of the controller is refused by those who do not ask it', async () => {
  const { code, stderr } = await local('list', '--url', 'mqtt://127.0.0.1:1')
  expect([code, stderr]).toEqual([2, expect.stringContaining('--url')])
})

test('list, status, start, stop, restart and delete say what they did, in JSON too', async () => {
  expect((await local('list')).stdout).toMatch(/^job .*failed.*\nticker .*running/m)
  expect(JSON.parse((await local('list', '--json')).stdout)).toMatchObject([
    { name: 'job' },
    { name: 'ticker', state: 'running' },
  ])
  expect((await local('stop', 'ticker')).stdout).toContain('stopped')
  expect(await device.get('ticker')).toMatchObject({ state: 'stopped', pid: null })
  expect((await local('start', 'ticker')).code).toBe(0)
  await device.when('it runs again', 'ticker', ({ state }) => state === 'running')
  expect((await local('restart', 'ticker')).code).toBe(0)
  await device.when('a third start', 'ticker', ({ state, run_count }) => state === 'running' && run_count === 3)
  const several = await local('stop', 'ticker', 'nothing')
  expect([several.code, several.stderr]).toEqual([3, expect.stringContaining('nothing')])
  const file = join(device.folder, 'other.yaml')
  writeFileSync(file, 'name: other\ntype: service\nrun_mode: forever\ncommand: exec sleep 1000\n')
  expect((await local('apply', '--dry-run', file)).stdout).toContain('other')
  expect((await local('list')).stdout).not.toContain('other')
  expect((await local('delete', 'job')).code).toBe(0)
  expect((await local('status', 'job')).code).toBe(3)
  expect(existsSync(device.paths.logs)).toBe(true)
})
