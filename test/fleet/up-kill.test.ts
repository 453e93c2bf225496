import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { collect, type Installation, isAlive, plainEnv, startInstallation } from '../harness/installation.ts'

let installation: Installation

beforeEach(async () => {
  installation = await startInstallation({ devices: 2 })
})

afterEach(async () => {
  await installation.close()
})

const pidsIn = (file: string): number[] =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1).map(Number) : []

test('kill -9 of skein up: parts end, a running program goes on, and the next skein up adopts it', async () => {
  const go = join(installation.root, 'go')
  const witness = join(installation.root, 'pids')
  const script = `echo $$ >>"$2"; i=0; while [ ! -e "$1" ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done; echo "of $i"; exit 7`
  const id = await installation.submit({ payload: { command: ['sh', '-c', script, 'sh', go, witness] } })
  const [pid] = await eventually('the program runs', () => {
    const pids = pidsIn(witness)
    return pids.length > 0 && pids
  })

  await installation.endUp('SIGKILL')
  await eventually('hub and devices have noticed', () =>
    installation.processes().every(({ title }) => !title.startsWith('skein ')),
  )
  expect(isAlive(pid ?? 0), 'the program goes on').toBe(true)

  await installation.startAgain()
  await installation.taskWhen('the run is known again', id, ({ runs }) => runs[0]?.state === 'running')
  writeFileSync(go, '')
  const ended = await installation.ended(id)
  expect([ended.state, ended.exit_code, ended.runs.length]).toEqual(['failed', 7, 1])
  expect(pidsIn(witness), 'it was started once').toEqual([pid])
  const { o, complete } = await installation.output(id)
  const lines = o.toString().split('\n').slice(0, -1)
  const expected = Array.from({ length: lines.length - 1 }, (_, i) => `line ${i}`)
  expect(lines).toEqual([...expected, `of ${expected.length}`])
  expect(complete).toBe(true)
})

test('a time limit that passes while nobody is there is applied by the next skein up', async () => {
  const witness = join(installation.root, 'pids')
  const id = await installation.submit({
    payload: { command: ['sh', '-c', 'echo $$ >>"$1"; exec sleep 600', 'sh', witness] },
    options: { timeout_seconds: 2, stop_grace_seconds: 1 },
  })
  const running = await installation.taskWhen('it runs', id, ({ runs }) => runs[0]?.state === 'running')
  const [pid = 0] = await eventually('its pid', () => pidsIn(witness))

  await installation.endUp('SIGKILL')
  await eventually('its time is over', () => Date.now() > Date.parse(running.runs[0]?.started_at ?? '') + 3000)
  expect(isAlive(pid), 'nobody is there to stop it').toBe(true)

  await installation.startAgain()
  const ended = await installation.ended(id)
  expect([ended.state, ended.reason]).toEqual(['timed_out', 'timed out after 2 s'])
  expect(isAlive(pid)).toBe(false)
})

test('a second skein up on a data folder in use exits with 1 and names the pid of the first', async () => {
  const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))
  const second = await collect(process.execPath, [skein, 'up'], { ...plainEnv(), SKEIN_DATA: installation.data })
  expect(second.code).toBe(1)
  expect(second.stderr).toContain(`pid ${installation.upPid()}`)
  expect((await installation.cli(['status'])).code, 'the first is not disturbed').toBe(0)
})

test('SIGTERM to skein up ends what runs, with grandchildren that ignore it, and exits with 0', async () => {
  const witness = join(installation.root, 'pids')
  const script = `trap '' TERM; sh -c 'trap "" TERM; echo $$ >>"$1"; while :; do sleep 1; done' sh "$1" & echo $$ >>"$1"; wait`
  const id = await installation.submit({
    payload: { command: ['sh', '-c', script, 'sh', witness] },
    options: { stop_grace_seconds: 1 },
  })
  const pids = await eventually('two processes', () => pidsIn(witness).length === 2 && pidsIn(witness))

  expect(await installation.endUp('SIGTERM')).toBe(0)
  expect(pids.map(isAlive)).toEqual([false, false])
  expect(installation.processes()).toEqual([])
  expect(existsSync(installation.paths.endpoints)).toBe(false)

  await installation.startAgain()
  const ended = await installation.ended(id)
  expect([ended.state, ended.reason]).toEqual(['failed', 'device_shutdown'])
})
