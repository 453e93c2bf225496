import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readFrame } from '../../device/logs/frames.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

let installation: Installation

beforeAll(async () => {
  installation = await startInstallation({})
})

afterAll(async () => {
  await installation.close()
})

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Everything is killed with -9, the logs are gone from the controller's disk, and everything starts again. */
const loseLogs = async (): Promise<void> => {
  await installation.endUp('SIGKILL')
  await eventually('hub and devices notice', () => installation.processes().every(({ title }) => !title.startsWith('skein ')))
  for (const rest of ['', '-wal', '-shm']) rmSync(installation.paths.logDb + rest, { force: true })
  expect(existsSync(installation.paths.logDb)).toBe(false)
  await installation.startAgain()
}

test('logs that the controller has lost come back from the device: of a run that has ended, and of one that goes on', async () => {
  const witness = join(installation.root, 'witness')
  const go = join(installation.root, 'go')
  const count = 'awk \'BEGIN { for (i = 1; i <= 50000; i++) printf "line %d of a log that will be lost\\n", i }\' | tee "$1"'
  const ended = await installation.submit({ payload: { command: ['sh', '-c', count, 'sh', witness] } })
  const waits = 'for i in 1 2 3 4 5; do echo "before $i"; done; while [ ! -e "$1" ]; do sleep 0.02; done; echo after'
  const open = await installation.submit({ payload: { command: ['sh', '-c', waits, 'sh', go] } })
  await installation.ended(ended)
  await eventually('all output is stored', async () => (await installation.output(ended)).complete)
  await eventually('the beginning of the other is stored', async () => (await installation.output(open)).o.length > 0)
  const written = readFileSync(witness, 'utf8')

  await loseLogs()

  const last = await installation.cli(['task', 'logs', ended, '--tail', '5'])
  expect([last.code, last.stderr, last.stdout.slice(0, 1000)]).toEqual([0, '', written.split('\n').slice(-6).join('\n')])
  const all = await installation.cli(['task', 'logs', ended])
  expect([all.code, all.stderr]).toEqual([0, ''])
  expect([all.stdout.length, hashOf(all.stdout)]).toEqual([written.length, hashOf(written)])
  const { complete, o } = await installation.output(ended)
  expect([complete, hashOf(o.toString())]).toEqual([true, hashOf(written)])

  const following = installation.cli(['task', 'logs', '--follow', open])
  writeFileSync(go, '')
  const followed = await following
  expect([followed.code, followed.stdout]).toEqual([0, 'before 1\nbefore 2\nbefore 3\nbefore 4\nbefore 5\nafter\n'])
  expect((await installation.output(open)).complete).toBe(true)
})

test('what the device does not have any more either is a record that says so, and the log is complete', async () => {
  const id = await installation.submit({ payload: { command: ['sh', '-c', 'echo one; echo two'] } })
  await installation.ended(id)
  await eventually('its output is stored', async () => (await installation.output(id)).complete)
  await installation.endUp('SIGTERM')
  for (const rest of ['', '-wal', '-shm']) rmSync(installation.paths.logDb + rest, { force: true })
  rmSync(join(installation.paths.device('local').folder, 'spool'), { recursive: true })
  await installation.startAgain()
  const { code, stdout, stderr } = await installation.cli(['task', 'logs', id])
  expect([code, stdout]).toEqual([0, ''])
  expect(stderr).toContain('not_kept')
  expect((await installation.output(id)).complete).toBe(true)
})

test('a spool that the disk has damaged keeps no device from starting: the log shows what is there, and where the rest was', async () => {
  const [go, more] = [join(installation.root, 'damage-go'), join(installation.root, 'damage-more')]
  const url = installation.endpoints.mqtt
  const token = await installation.tokenFor('torn', 'device')
  const device = await installation.startDevice('torn', url, token)
  await installation.online('torn')
  const until = (word: string): string => `while [ ! -e "$${word}" ]; do sleep 0.02; done`
  const script = `${until('1')}; i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); [ $((i % 200)) -gt 0 ] || sleep 0.05; done; ${until('2')}; echo after`
  const id = await installation.submit({ payload: { command: ['sh', '-c', script, 'sh', go, more] }, target: { device: 'torn' } })
  await installation.taskWhen('it runs', id, ({ runs }) => runs[0]?.state === 'running')

  // The hub hears nothing of what is written now.
  const hub = installation.pidOf('hub') ?? 0
  process.kill(hub, 'SIGSTOP')
  try {
    writeFileSync(go, '')
    const spool = join(installation.paths.device('torn').folder, 'spool')
    const file = await eventually('all is in the spool', () =>
      readdirSync(spool)
        .filter((name) => !name.startsWith('.'))
        .map((name) => join(spool, name))
        .find((path) => readFileSync(path).includes('line 1999\n')),
    )
    device.kill('SIGKILL')
    await eventually('it is dead', () => device.signalCode !== null)
    const bytes = readFileSync(file)
    const frames: number[] = []
    for (let at = 0, one = readFrame(bytes, 0); one; at += one.length, one = readFrame(bytes, at)) frames.push(at)
    const half = frames[frames.length >> 1]
    expect(frames.length).toBeGreaterThan(8)
    writeFileSync(file, bytes.fill(0, half))
  } finally {
    process.kill(hub, 'SIGCONT')
  }
  await installation.startDevice('torn', url, token)
  writeFileSync(more, '')
  const ended = await installation.ended(id)
  expect([ended.state, ended.runs.length]).toEqual(['succeeded', 1])
  await eventually('the log is whole', async () => (await installation.output(id)).complete)
  const { o, records } = await installation.output(id)
  const lines = o.toString().split('\n').slice(0, -1)
  expect(lines.at(-1)).toBe('after')
  expect(lines.length).toBeGreaterThan(500)
  expect(lines.slice(0, -1)).toEqual(Array.from({ length: lines.length - 1 }, (_, i) => `line ${i}`))
  expect(records.filter(([, , , text]) => JSON.stringify(text).includes('"reason":"damaged"')).length).toBe(1)
})
