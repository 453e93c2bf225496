import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { runOutputKillTrial } from '../harness/output-kill-trial.ts'

let installation: Installation

beforeAll(async () => {
  installation = await startInstallation({ devices: 2 })
})

afterAll(async () => {
  await installation.close()
})

test('a program outlives three kill -9 of its daemon, and its output is whole but for what a kill took along, in order, and there once', async () => {
  const { holes } = await runOutputKillTrial(installation, 'local-1', 3)
  if (holes.length > 0) console.warn(`a kill fell between a read and its write: ${holes.join(', ')}`)
  // The two are some microseconds apart, so of three kills hardly one falls there; two would be a fault. test/soak/device-kill.test.ts has many.
  expect(holes.length, holes.join(', ')).toBeLessThanOrEqual(1)
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
