import { describe, expect, test } from 'vitest'
import { budgetOf, taskOfAgent } from '../../controller/cli/agent.ts'
import { readTask } from '../../schemas/task.ts'

describe('budgetOf()', () => {
  test.each([
    ['200000tokens,30m', { limits: { tokens: 200_000 }, seconds: 1800 }],
    ['200ktokens, 2usd', { limits: { tokens: 200_000, cost: 2 }, seconds: undefined }],
    ['0.5$', { limits: { cost: 0.5 }, seconds: undefined }],
    ['90s', { limits: {}, seconds: 90 }],
    ['2h', { limits: {}, seconds: 7200 }],
  ])('reads %s', (text, budget) => expect(budgetOf(text)).toEqual(budget))

  test.each(['', 'much', '200000', '5 apples', '30m,', '-5usd'])('refuses %j, and says what it could be', (text) =>
    expect(() => budgetOf(text)).toThrow('200000tokens,2usd,30m'),
  )
})

test('what the flags say is a task that is accepted', () => {
  const flags = {
    ...{
      device: 'pi',
      provider: 'openai',
      model: 'gpt-4o',
      approve: ['shell*', 'write*'],
      budget: '1000tokens,5m',
      secret: ['KEY'],
    },
    ...{ mcp: ['files=npx -y server /srv', 'web=https://host/mcp'], maxTurns: 5, retries: 2, env: { A: 'b' }, keepSession: true },
  }
  const read = readTask(taskOfAgent(flags, 'look around', 'key-1'))
  expect(read).toMatchObject({
    ok: true,
    task: {
      type: 'agent',
      idempotency_key: 'key-1',
      target: { device: 'pi' },
      options: { timeout_seconds: 300, retries: 2 },
      payload: {
        ...{
          prompt: 'look around',
          approve: { matching: ['shell*', 'write*'] },
          budget: { tokens: 1000 },
          max_turns: 5,
          keep_session: true,
        },
        ...{ secrets: ['KEY'], env: { A: 'b' } },
        mcp_servers: [
          { type: 'stdio', name: 'files', command: 'npx', args: ['-y', 'server', '/srv'] },
          { type: 'http', name: 'web', url: 'https://host/mcp' },
        ],
      },
    },
  })
})

test('a timeout is the work’s, and beats that of the budget', () => {
  const task = taskOfAgent({ workTimeout: 60, budget: '5m' }, 'x', 'k')
  expect(readTask(task)).toMatchObject({ ok: true, task: { options: { timeout_seconds: 60 } } })
})

test.each(['files', '=npx', 'files='])('a server of tools that is %j is refused', (mcp) =>
  expect(() => taskOfAgent({ mcp: [mcp] }, 'x', 'k')).toThrow('--mcp'),
)
