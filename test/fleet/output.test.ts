import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isDrop } from '../../schemas/log.ts'
import { eventually } from '../harness/eventually.ts'
import { collect, type Installation, isAlive, plainEnv, startInstallation } from '../harness/installation.ts'
import { seeded } from '../harness/seeded.ts'

let installation: Installation

beforeAll(async () => {
  installation = await startInstallation()
})

afterAll(async () => {
  await installation.close()
})

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const newest = async (): Promise<string> => (await installation.answered('GET', '/tasks?limit=1')).body.tasks[0]?.task_id ?? ''

test('10 MB in 1,000,000 lines come out of run and of task logs as the program wrote them', async () => {
  const expected = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => `${String(i + 1).padStart(9, '0')}\n`).join(''))
  expect(expected.length).toBe(10_000_000)

  const run = await installation.cli(['run', '--', 'seq', '-f', '%09.0f', '1', '1000000'], { timeoutMs: 100_000 })
  expect([run.code, run.stderr]).toEqual([0, ''])
  expect([run.bytes.length, sha(run.bytes)]).toEqual([expected.length, sha(expected)])

  const id = await newest()
  const logs = await installation.cli(['task', 'logs', id], { timeoutMs: 100_000 })
  expect([logs.code, logs.bytes.length, sha(logs.bytes)]).toEqual([0, expected.length, sha(expected)])
  const task = await installation.task(id)
  expect(task.runs[0]?.log).toMatchObject({ lines: 1_000_000, bytes: 10_000_000, dropped_lines: 0, dropped_bytes: 0 })
}, 150_000)

test('a range of a log by its numbers, by REST and by the CLI', async () => {
  const id = await installation.submit({ payload: { command: 'seq 1 25000' } })
  await installation.ended(id)
  await eventually('all of it is stored', async () => (await installation.output(id)).complete)
  const { body } = await installation.answered('GET', `/tasks/${id}/logs?after=1000&before=1004`)
  expect(body).toMatchObject({
    next: 1003,
    complete: true,
    records: [1001, 1002, 1003].map((seq) => expect.arrayContaining([seq])),
  })
  const shown = async (...flags: string[]) => (await installation.cli(['task', 'logs', id, ...flags])).stdout
  const seq = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}\n`).join('')
  expect(await shown('--after', '3000', '--before', '23001')).toBe(seq(3001, 23_000))
  expect(await shown('--before', '23001', '--tail', '2')).toBe(seq(22_999, 23_000))
  const [record] = JSON.parse(await shown('--json', '--after', '24999'))
  expect([record[0], record[3]]).toEqual([25_000, '25000'])
})

test('whoever reads the output slowly gets all of it', async () => {
  // The program has long ended when the reader begins.
  const script = 'bin/skein run -- seq 1 200000 | { while [ ! -e "$1" ]; do sleep 0.05; done; cat; }'
  const go = join(installation.root, 'go')
  const before = await newest()
  const env = { ...plainEnv(), SKEIN_DATA: installation.data }
  const reading = collect('sh', ['-c', script, 'sh', go], env, { timeoutMs: 60_000 })
  const id = await eventually('another task', async () => {
    const now = await newest()
    return now !== before && now
  })
  await installation.ended(id)
  await eventually('all of it is on its way', async () => (await installation.output(id)).complete)
  writeFileSync(go, '')
  const { bytes } = await reading
  expect(sha(bytes)).toBe(sha(Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`).join(''))))
})

test('a line of 100 MB: its beginning is kept, the rest is counted, and the sum is right', async () => {
  const id = await installation.submit({
    payload: { command: `echo before; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo after` },
  })
  const task = await installation.ended(id, 100_000)
  expect([task.state, task.exit_code]).toEqual(['succeeded', 0])
  const { o, records, complete } = await eventually('a whole log', async () => {
    const output = await installation.output(id)
    return output.complete && output
  })
  expect(complete).toBe(true)
  const dropped = records.flatMap(([, , , text]) => (isDrop(text) ? [text.dropped] : []))
  const droppedBytes = dropped.reduce((sum, one) => sum + one.bytes, 0)
  expect(new Set(dropped.map(({ reason }) => reason))).toEqual(new Set(['line_too_long']))
  // 100,000,000 of the line and its newline, with the two lines around it.
  expect(o.length + droppedBytes).toBe(100_000_001 + 'before\nafter\n'.length)
  const text = o.toString()
  expect(text.startsWith('before\nxxx')).toBe(true)
  expect(text.endsWith('after\n')).toBe(true)
  expect(text.match(/x/g)?.length).toBe(1024 * 1024)
  expect(task.runs[0]?.log).toMatchObject({ bytes: o.length, dropped_bytes: droppedBytes, dropped_lines: 1 })
}, 120_000)

test('bytes that are not UTF-8 come out as they went in, on both streams', async () => {
  const chance = seeded(8)
  const bytes = Buffer.from(Array.from({ length: 40_000 }, () => (chance.isLucky(0.02) ? 10 : chance.below(256))))
  const others = Buffer.concat([Buffer.from([0xff, 0xfe, 0, 10, 0xc3, 10, 0xe2, 0x82]), Buffer.from('häßlich €\n')])
  const [one, two] = [join(installation.root, 'bytes'), join(installation.root, 'others')]
  writeFileSync(one, bytes)
  writeFileSync(two, others)
  const id = await installation.submit({ payload: { command: ['sh', '-c', 'cat "$1"; cat "$2" >&2; echo', 'sh', one, two] } })
  await installation.ended(id)
  const { o, e } = await eventually('a whole log', async () => {
    const output = await installation.output(id)
    return output.complete && output
  })
  expect(sha(o)).toBe(sha(Buffer.concat([bytes, Buffer.from('\n')])))
  expect(e).toEqual(others)
  const logs = await installation.cli(['task', 'logs', id])
  expect(sha(logs.bytes)).toBe(sha(o))
})

test('a program that closes its output goes on, and its exit code counts', async () => {
  const witness = join(installation.root, 'closed')
  const script = 'echo before; exec >&- 2>&-; sleep 0.5; : >"$1"; exit 9'
  const { code, stdout } = await installation.cli(['run', '--', 'sh', '-c', script, 'sh', witness])
  expect([code, stdout]).toEqual([9, 'before\n'])
  expect(existsSync(witness)).toBe(true)
})

test('a time limit ends grandchildren that ignore SIGTERM too', async () => {
  const witness = join(installation.root, 'pids')
  const stubborn = `trap "" TERM; echo $$ >>"$1"; while :; do sleep 1; done`
  const script = `sh -c '${stubborn}' sh "$1" & sh -c '${stubborn}' sh "$1" & echo $$ >>"$1"; echo said; wait`
  const id = await installation.submit({
    payload: { command: ['sh', '-c', script, 'sh', witness] },
    options: { timeout_seconds: 1, stop_grace_seconds: 0.5 },
  })
  const task = await installation.ended(id)
  expect([task.state, task.reason]).toEqual(['timed_out', 'timed out after 1 s'])
  const pids = readFileSync(witness, 'utf8').split('\n').slice(0, -1).map(Number)
  expect(pids.length).toBe(3)
  expect(pids.filter(isAlive)).toEqual([])
  expect((await installation.output(id)).o.toString()).toBe('said\n')
})
