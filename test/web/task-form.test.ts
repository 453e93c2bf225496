import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { commandLineOf } from '../../dashboard/web/pages/new-task/command-line.ts'
import { draftOf, emptyForm, formOf, missingIn, type TaskForm } from '../../dashboard/web/pages/new-task/task-form.ts'
import { readTask, Task } from '../../schemas/task.ts'

const form = (change: Partial<TaskForm>): TaskForm => ({ ...emptyForm, ...change })
const shown = (task: object): Task =>
  Task.parse({
    ...{ task_id: 't1', state: 'succeeded', reason: null, device: 'd1', attempt: 1, exit_code: 0, requested_by: 'ann' },
    ...{ created_at: '2030-01-01T00:00:00.000Z', started_at: null, ended_at: null, cancel_requested_at: null },
    ...task,
  })
const full = form({
  ...{
    kind: 'agent',
    prompt: 'Look',
    system: 'Be short',
    provider: 'openai',
    model: 'gpt-4o',
    approve: 'matching',
    patterns: 'shell*\n*rm *',
  },
  ...{
    tokens: '1000',
    cost: '0.5',
    turns: '9',
    secrets: 'A_KEY, B_KEY',
    servers: '[{"name":"files","command":"npx"}]',
    keep: true,
  },
  ...{ where: 'selector', selector: 'role=builder', fanout: 'all', timeout: '60', retries: '2', startWithin: '30' },
  ...{ priority: 'high', name: 'A name', tags: 'one, two words ,three', cwd: '/srv', env: 'A=1\nB=x=y\n' },
})

describe('the form of a new task', () => {
  test('draftOf() makes a task that is taken, out of every kind of form', () => {
    for (const one of [
      form({ command: `sh -c 'echo "a b"'` }),
      form({ commandAs: 'lines', command: 'sh\n-c\necho a  b\n' }),
      form({ commandAs: 'shell', command: 'ls | wc -l' }),
      form({ kind: 'script', script: '#!/bin/sh\r\necho\r\n', args: 'a\nb c' }),
      form({ kind: 'agent', prompt: 'Look around' }),
      full,
    ]) {
      const { draft, faults } = draftOf(one)
      expect(faults).toEqual([])
      expect(readTask(draft)).toMatchObject({ ok: true })
    }
  })

  test('draftOf() says what was typed, and nothing of what was not', () => {
    expect(draftOf(form({ command: `a 'b c'` })).draft).toEqual({
      ...{
        type: 'command',
        payload: { command: ['a', 'b c'] },
        target: {},
        options: {},
        priority: 'medium',
        tags: [],
        metadata: {},
      },
    })
    expect(draftOf(form({ kind: 'script', script: '#!/bin/sh\r\necho\r\n' })).draft.payload).toEqual({
      script: '#!/bin/sh\necho\n',
    })
    expect(draftOf(full).draft).toMatchObject({
      type: 'agent',
      payload: {
        approve: { matching: ['shell*', '*rm *'] },
        budget: { tokens: 1000, cost: 0.5 },
        secrets: ['A_KEY', 'B_KEY'],
        env: { A: '1', B: 'x=y' },
        keep_session: true,
      },
      target: { selector: 'role=builder', fanout: 'all' },
      options: { timeout_seconds: 60, retries: 2, start_within_seconds: 30 },
      tags: ['one', 'two words', 'three'],
    })
  })

  test('draftOf() names the field that cannot be read', () => {
    expect(draftOf(form({ command: `a 'b` })).faults).toMatchObject([{ field: 'payload.command' }])
    expect(draftOf(form({ command: 'a', env: 'no equals' })).faults).toMatchObject([{ field: 'payload.env' }])
    expect(draftOf(form({ kind: 'agent', prompt: 'x', servers: '[' })).faults).toMatchObject([{ field: 'payload.mcp_servers' }])
    expect(draftOf(form({ command: 'a', timeout: 'soon' })).faults).toMatchObject([{ field: 'options.timeout_seconds' }])
  })

  test('missingIn() wants something to run', () => {
    for (const kind of ['command', 'agent'] as const) expect(missingIn(draftOf(form({ kind })).draft)).toHaveLength(1)
    expect(missingIn(draftOf(form({ kind: 'script', script: '' })).draft)).toHaveLength(1)
    expect(missingIn(draftOf(form({ command: 'x' })).draft)).toEqual([])
  })

  test('formOf() holds a task so that it becomes the same again', () => {
    for (const task of [
      { payload: { command: ['sh', '-c', `echo "it's"; exit 3`], env: { A: 'x=y' }, cwd: '/srv' }, target: { device: 'd1' } },
      { payload: { command: 'ls | wc' }, target: { selector: 'a=b', fanout: 'all' }, options: { retries: 0, on_lost: 'stop' } },
      { payload: { script: '#!/bin/sh\n', args: ['a', 'b c'] }, tags: ['x y', 'z'], metadata: { name: 'N', other: { deep: 1 } } },
      { type: 'agent', payload: { prompt: 'x', approve: 'tools', budget: { cost: 1 }, silence_seconds: 60, session: 'r-1' } },
      { payload: { workload: 'web', env: { A: '1' } }, target: { device: 'd1' } },
      { type: 'agent', payload: { recipe: '/srv/r.yaml', params: { a: 1 } } },
      {
        type: 'deploy',
        payload: { command: ['x'] },
        target: { repository: 'https://example.org/x', ref: 'main' },
        priority: 'low',
      },
    ]) {
      const whole = shown(task)
      const { draft } = draftOf(formOf(whole), whole)
      const { type, payload, target, options, priority, tags, metadata } = whole
      expect(draft).toEqual({
        type: payload.recipe === undefined ? type : 'command',
        payload,
        target,
        options,
        priority,
        tags,
        metadata,
      })
    }
  })

  test('draftOf() keeps a value whose text says less, until somebody touches the text', () => {
    const env = { A: 'one\nB=two', C: '' }
    const script = shown({
      payload: { script: '#!/bin/sh\r\n', args: ['', 'a\nb', ''], env, cwd: '/srv/a ' },
      tags: ['a,b', ' c'],
      metadata: { name: 7 },
    })
    const { draft, faults } = draftOf(formOf(script), script)
    expect(faults).toEqual([])
    expect(draft).toMatchObject({ payload: script.payload, tags: script.tags, metadata: { name: 7 } })
    const touched = { ...formOf(script), args: 'x\ny', env: 'A=1', tags: 'a, b', name: 'N' }
    expect(draftOf(touched, script).draft).toMatchObject({
      payload: { args: ['x', 'y'], env: { A: '1' }, script: '#!/bin/sh\r\n' },
      tags: ['a', 'b'],
      metadata: { name: 'N' },
    })
    const asCommand = draftOf({ ...formOf(script), kind: 'command', command: 'ls' }, script).draft
    expect(asCommand.payload).toEqual({ command: ['ls'], env, cwd: '/srv/a ' })
    const agent = shown({ type: 'agent', payload: { prompt: ' x\n', system: 'y ', approve: { matching: ['a\nb'] } } })
    expect(draftOf(formOf(agent), agent).draft.payload).toEqual(agent.payload)
    expect(draftOf({ ...formOf(agent), approve: 'none' }, agent).draft.payload['approve']).toBeUndefined()
  })

  test('formOf() takes what only another kind of work has out of the task', () => {
    const agents = shown({ type: 'agent', payload: { prompt: 'x', silence_seconds: 60 } })
    const { draft } = draftOf({ ...formOf(agents), kind: 'command', command: 'ls' }, agents)
    expect(draft).toMatchObject({ type: 'command', payload: { command: ['ls'] } })
    expect(readTask(draft)).toMatchObject({ ok: true })
  })
})

describe('the same in a terminal', () => {
  /** The words that a shell makes of it. */
  const words = (line: string): string[] =>
    execFileSync('sh', ['-c', `skein() { for word in skein "$@"; do printf '%s\\0' "$word"; done; }\n${line}`], {
      encoding: 'utf8',
    })
      .split('\0')
      .slice(0, -1)

  test('commandLineOf() quotes so that a shell reads the same words', () => {
    const { draft } = draftOf(
      form({
        command: `sh -c 'echo "$HOME" && ls'`,
        where: 'device',
        device: 'd1',
        env: `A=it's`,
        timeout: '60',
        tags: 'x',
        priority: 'high',
      }),
    )
    expect(words(commandLineOf(draft))).toEqual([
      ...['skein', 'run', '--device', 'd1', '--env', `A=it's`, '--timeout', '60', '--priority', 'high', '--tag', 'x'],
      ...['--', 'sh', '-c', 'echo "$HOME" && ls'],
    ])
  })

  test('commandLineOf() knows agents', () => {
    const { draft } = draftOf({ ...full, fanout: 'one', startWithin: '', servers: '' })
    expect(words(commandLineOf(draft))).toEqual([
      ...['skein', 'agent', '--selector', 'role=builder', '--system', 'Be short', '--provider', 'openai', '--model', 'gpt-4o'],
      ...['--approve', 'shell*', '--approve', '*rm *', '--budget', '1000tokens,0.5usd', '--max-turns', '9'],
      ...['--secret', 'A_KEY', '--secret', 'B_KEY', '--keep-session', '--cwd', '/srv', '--env', 'A=1', '--env', 'B=x=y'],
      ...['--timeout', '60', '--retries', '2', '--name', 'A name', '--priority', 'high'],
      ...['--tag', 'one', '--tag', 'two words', '--tag', 'three', '--', 'Look'],
    ])
  })

  test('commandLineOf() gives the task itself where no flag says it', () => {
    for (const one of [
      form({ kind: 'script', script: "#!/bin/sh\nEOF\necho 'x' $HOME\n" }),
      form({ command: 'ls', fanout: 'all' }),
      form({ command: 'ls', startWithin: '5' }),
      full,
    ]) {
      const { draft } = draftOf(one)
      const line = commandLineOf(draft)
      const read = execFileSync('sh', ['-c', `skein() { cat; }\n${line}`], { encoding: 'utf8' })
      expect(readTask(JSON.parse(read))).toEqual(readTask(draft))
    }
  })
})
