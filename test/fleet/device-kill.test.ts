import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'

let installation: Installation

beforeAll(async () => {
  installation = await startInstallation({ devices: 2 })
})

afterAll(async () => {
  await installation.close()
})

const lastSeqOf = async (id: string): Promise<number> => {
  let after = 0
  for (;;) {
    const { body } = await installation.answered('GET', `/tasks/${id}/logs?limit=10000&after=${after}`)
    if (body.records.length === 0) return after
    after = body.next
  }
}

/** The runs of numbers that are missing. Throws where a line is out of order, there twice, or torn. */
const holesIn = (lines: readonly string[], word: string, count: number): string[] => {
  const holes: string[] = []
  let next = 0
  for (const line of [...lines, `${word} ${count}`]) {
    const number = Number(new RegExp(`^${word} (\\d+)$`).exec(line)?.[1])
    if (!(number >= next)) throw new Error(`"${line}" stands where ${word} ${next} or a later one belongs`)
    if (number > next) holes.push(`${word} ${next} to ${number - 1}`)
    next = number + 1
  }
  return holes
}

test('a program outlives three kill -9 of its daemon, and its output is whole but for what a kill took along, in order, and there once', async () => {
  const go = join(installation.root, 'go')
  const witness = join(installation.root, 'pids')
  const script = `echo $$ >>"$2"; i=0
    while [ ! -e "$1" ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); sleep 0.004; done
    echo "of $i"; exit 5`
  const id = await installation.submit({
    payload: { command: ['sh', '-c', script, 'sh', go, witness] },
    target: { device: 'local-1' },
  })
  let seen = 0
  for (let kills = 0; kills < 3; kills++) {
    // Lines of the daemon that is to be killed: it has done its work, and is in the middle of it.
    seen = await eventually(`output after ${kills} kills`, async () => {
      const last = await lastSeqOf(id)
      return last > seen + 20 && last
    })
    await eventually('the daemon is killed', () => installation.kill('device local-1'))
  }
  seen = await eventually('output after the last kill', async () => {
    const last = await lastSeqOf(id)
    return last > seen + 20 && last
  })
  writeFileSync(go, '')

  const ended = await installation.ended(id)
  expect([ended.state, ended.exit_code, ended.runs.length]).toEqual(['failed', 5, 1])
  expect(readFileSync(witness, 'utf8').split('\n').length, 'one process').toBe(2)
  const { o, e, complete } = await installation.output(id)
  expect(complete).toBe(true)
  const out = o.toString().split('\n').slice(0, -1)
  const count = Number(/^of (\d+)$/.exec(out.pop() ?? '')?.[1])
  // A kill between a read and the write of what was read makes a hole; nothing else does (docs/status.md).
  for (const holes of [holesIn(out, 'out', count), holesIn(e.toString().split('\n').slice(0, -1), 'err', count)]) {
    expect(holes.length).toBeLessThanOrEqual(3)
    if (holes.length > 0) console.warn(`a kill fell between a read and its write: ${holes.join(', ')}`)
  }
  await eventually(
    'nothing of the run is left',
    () => installation.runProcesses().length === 0 && installation.runFolders().length === 0,
  )
})

test('what ended while its daemon was dead is reported by the next one', async () => {
  const go = join(installation.root, 'go-2')
  const script = `while [ ! -e "$1" ]; do sleep 0.01; done; echo done; exit 6`
  const id = await installation.submit({
    payload: { command: ['sh', '-c', script, 'sh', go] },
    target: { device: 'local-2' },
  })
  await installation.taskWhen('it runs', id, ({ runs }) => runs[0]?.state === 'running')
  // The file is there before a new daemon can be: its start takes far longer.
  expect(installation.kill('device local-2')).toBeDefined()
  writeFileSync(go, '')
  const ended = await installation.ended(id)
  expect([ended.state, ended.exit_code]).toEqual(['failed', 6])
  expect((await installation.output(id)).o.toString()).toBe('done\n')
})
