import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findAgentPrograms, type Model, processesWith, startModel } from '../harness/agent-programs.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { linesOf, startLoneDevice } from '../harness/lone-device.ts'

const programs = findAgentPrograms()
const shell = (command: string) => ({ tool: 'shell', arguments: { command } })
const agent = { type: 'agent', provider: 'openai', model: 'gpt-4o' }

describe.skipIf(programs === undefined)('workloads of agents', () => {
  let fleet: Installation
  let model: Model
  const witness = (name: string): string => join(fleet.root, `witness-${name}`)
  beforeAll(async () => {
    fleet = await startInstallation({ env: { PATH: `${programs?.path}:${process.env['PATH']}` } })
    const marks = (name: string) => [shell(`echo run >>${witness(name)}`), { say: 'All is well.' }]
    model = await startModel(fleet.root, {
      ...{ asker: marks('asker'), keeper: marks('keeper'), timer: marks('timer'), careful: marks('careful') },
      who: [shell('echo "$(whoami) may write"; echo x >$SKEIN_ARTIFACTS/x'), { say: 'I am who I am.' }],
    })
  })
  afterAll(async () => {
    await fleet?.close()
    model?.close()
  })

  const apply = async (name: string, spec: object): Promise<void> => {
    const file = join(fleet.root, 'agents.yaml')
    writeFileSync(file, JSON.stringify({ workloads: [{ ...agent, name, prompt: `[${name}] go`, env: model.env, ...spec }] }))
    expect(await fleet.cli(['local', 'apply', file])).toMatchObject({ code: 0, stderr: '' })
  }
  const isIn = async (name: string, state: string): Promise<true> => {
    const { body } = await fleet.api('GET', `/devices/local/workloads/${name}`)
    return body.state === state || Promise.reject(new Error(JSON.stringify(body)))
  }
  const completed = (name: string): Promise<unknown> => eventually('it has run', () => isIn(name, 'completed'))
  const runs = (name: string): number => linesOf(witness(name)).length

  test('so many times', async () => {
    await apply('asker', { run_mode: 'n_times', max_runs: 2, restart_delay: 0 })
    await completed('asker')
    expect(runs('asker')).toBe(2)
    expect((await fleet.cli(['local', 'logs', 'asker'])).stdout).toContain('All is well.')
  })

  test.each([
    ['keeper', { run_mode: 'forever', restart_delay: 0.1 }],
    ['timer', { run_mode: 'schedule', schedule: '* * * * * *' }],
  ])('again and again: %s', async (name, spec) => {
    await apply(name, spec)
    await eventually('it has run twice', () => runs(name) >= 2)
    expect((await fleet.cli(['local', 'stop', name])).code).toBe(0)
    await eventually('it has stopped', () => isIn(name, 'stopped'))
    expect(processesWith(model.url), 'nothing of it is left').toEqual([])
  })

  test.skipIf(process.geteuid?.() !== 0)('as somebody else, whose the folders are that it needs', async () => {
    chmodSync(fleet.root, 0o711)
    await apply('other', { run_mode: 'n_times', max_runs: 1, user: 'nobody', prompt: '[who] x' })
    await completed('other')
    expect((await fleet.cli(['local', 'logs', 'other'])).stdout).toContain('nobody may write')
  })

  test('what it wants to do is asked for all the same, though its run is of no task', async () => {
    await apply('careful', { run_mode: 'n_times', max_runs: 1, approve: 'tools' })
    const approval = await eventually('it asks', async () => {
      const { body } = await fleet.answered('GET', '/approvals?state=pending&device=local')
      return body.approvals[0]
    })
    expect(approval).toMatchObject({ task_id: null, run_id: expect.stringMatching(/^local-/) })
    expect(runs('careful')).toBe(0)
    await fleet.answered('POST', `/approvals/${approval.approval}/approve`, {})
    await completed('careful')
    expect(runs('careful')).toBe(1)
  })
})

test.skipIf(programs === undefined)(
  'a budget holds on a device that has no controller, and permissions are no without one',
  async () => {
    const device = await startLoneDevice({ env: { PATH: `${programs?.path}:${process.env['PATH']}` } })
    const file = join(device.root, 'witness')
    const count = Array.from({ length: 200 }, (_, i) => shell(`echo ${i} >>${file}`))
    const model = await startModel(device.root, {
      count,
      default: [shell(`echo asked >>${file}`), { say: 'well' }],
    })
    try {
      const once = { ...agent, run_mode: 'n_times', max_runs: 1, env: model.env }
      device.write([
        { ...once, name: 'spender', prompt: '[count] x', budget: { tokens: 1000 } },
        { ...once, name: 'asker', prompt: 'x', approve: 'tools', approval_seconds: 1 },
      ])
      await device.apply()
      const { runs } = await device.when('it has spent enough', 'spender', ({ state }) => state === 'failed')
      expect(runs[0]?.reason).toContain('budget_tokens')
      expect(linesOf(file).length).toBeGreaterThan(20)
      expect(linesOf(file).length).toBeLessThan(100)
      await device.when('it went on without', 'asker', ({ state }) => state === 'completed')
      expect(linesOf(file)).not.toContain('asked')
      await eventually('nothing is left', () => device.processes().length === 0)
    } finally {
      await device.close()
      model.close()
    }
  },
)
