import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { cancelAgents } from '../harness/agent-cancel-trial.ts'
import { findAgentPrograms, type Model, processesWith, startModel } from '../harness/agent-programs.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/free-port.ts'
import { type Installation, startInstallation, type TaskInFull } from '../harness/installation.ts'
import { linesOf } from '../harness/lone-device.ts'
import { seedOf } from '../harness/seeded.ts'

const programs = findAgentPrograms()
const canary = 'canary-4711-xyz'

describe.skipIf(programs === undefined)('agents: real Goose and a scripted model', () => {
  let fleet: Installation
  let model: Model
  beforeAll(async () => {
    fleet = await startInstallation({
      env: {
        PATH: `${programs?.path}:${process.env['PATH']}`,
        SKEIN_CAPACITY: '12',
        SKEIN_HEARTBEAT_SECONDS: '1',
        DEVICES_OWN: 'not for agents',
      },
    })
    const shell = (command: string) => ({ tool: 'shell', arguments: { command } })
    model = await startModel(fleet.root, {
      default: [shell(`echo run >>${witness()}; echo hello; echo world >&2`), { say: 'All is well.', delay_ms: 5 }],
      slow: [{ say: 'one two three four five six seven eight nine ten eleven twelve thirteen', delay_ms: 500 }],
      long: [shell('for i in 1 2 3 4 5 6; do echo line $i; sleep 0.3; done'), { say: 'the tool is over' }],
      twice: [shell(`echo once >>${witness()}`), shell(`echo on >>${furtherOn()}; sleep 2`), { say: 'done twice' }],
      where: [shell('pwd'), { say: 'there' }],
      stray: [shell('setsid sleep 1000 & sleep 1000')],
      loop: [shell('echo again')],
      count: Array.from({ length: 100 }, (_, i) => shell(`echo ${i} >>${witness()}`)),
      leak: [
        shell(
          'printf %s "$CANARY" | base64; echo $CANARY; echo $CANARY >&2; env; mkdir $SKEIN_ARTIFACTS/a; echo art >$SKEIN_ARTIFACTS/a/b.txt',
        ),
        { say: `I saw ${canary} and ${encodeURIComponent(canary)} there`, delay_ms: 5 },
      ],
      echo: [{ tool: 'everything__echo', arguments: { message: 'from afar' } }, { say: 'echoed' }],
      later: [{ status: 429 }],
      broken: [{ status: 500 }],
      garbage: [{ garbage: true }],
      half: [{ half: 'this is only the' }],
      hang: [{ hang: true }],
    })
    // Profiles are read when a daemon starts.
    mkdirSync(fleet.paths.agents, { recursive: true })
    const goose = join(programs?.path ?? '', 'goose')
    const profile = (name: string, more: Payload): void =>
      writeFileSync(join(fleet.paths.agents, `${name}.yaml`), JSON.stringify({ name, ...more }))
    profile('helper', {
      command: [goose, 'acp', '--with-builtin', 'developer'],
      env: { GOOSE_DISABLE_KEYRING: '1', GOOSE_PROVIDER: 'openai' },
      variables: { model: 'GOOSE_MODEL', folder: 'GOOSE_PATH_ROOT' },
    })
    profile('crasher', { command: ['sh', '-c', 'echo no protocol; echo why >&2; exit 7'] })
    profile('mute', { command: ['sh', '-c', 'cat >/dev/null; exit 0'] })
    profile('absent', { command: ['no-such-agent'] })
    fleet.kill('device local')
    await fleet.online('local')
    await eventually('the device tells that it has Goose', async () => {
      const { body } = await fleet.api('GET', '/devices/local')
      return body.labels['agent.goose'] === '1.52.0'
    })
  })
  afterAll(async () => {
    await fleet?.close()
    model?.close()
  })

  const witness = (): string => join(fleet.root, 'witness')
  const furtherOn = (): string => join(fleet.root, 'further-on')
  type Payload = Readonly<Record<string, unknown>>
  const ask = (prompt: string, payload: Payload = {}, task: Payload = {}): Promise<string> =>
    fleet.submit({
      type: 'agent',
      payload: { prompt, provider: 'openai', model: 'gpt-4o', env: model.env, ...payload },
      target: { device: 'local' },
      ...task,
    })
  const answerTo = async (prompt: string, payload: Payload = {}, task: Payload = {}): Promise<TaskInFull> =>
    fleet.ended(await ask(prompt, payload, task))
  const agentOf = (task: TaskInFull) => task.runs.at(-1)?.['agent'] as Record<string, unknown> // what the run came to
  const eventsOf = async (id: string): Promise<({ seq: number; type: string } & Payload)[]> => {
    const page = await eventually('all events', async () => {
      const { body } = await fleet.answered('GET', `/tasks/${id}/events`)
      return body.complete && body
    })
    return page.events
  }
  const processesOf = (task: TaskInFull): number[] => processesWith(`SKEIN_RUN=${task.runs.at(-1)?.run_id}`)
  const pending = (id: string) =>
    eventually('it asks', async () => (await fleet.answered('GET', `/approvals?state=pending&task_id=${id}`)).body.approvals[0])

  test('a prompt goes where its agent is, is answered, and told event by event, in the log as well', async () => {
    const task = await answerTo('Is all well?', {}, { target: {} })
    expect(task).toMatchObject({ state: 'succeeded', exit_code: 0, target: { selector: 'agent.goose' } })
    expect(agentOf(task)).toMatchObject({
      ...{ agent: 'goose', stop_reason: 'completed', text: 'All is well.', turns: 2, tokens: 40, currency: 'USD' },
      ...{ provider: 'openai', model: 'gpt-4o', artifacts: [] },
    })
    const events = await eventsOf(task.task_id)
    const types = events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1])
    expect(types).toEqual(['tool_call', 'tool_output', 'tool_result', 'usage', 'message', 'usage', 'complete'])
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
    expect(events[0]).toMatchObject({ tool: 'developer__shell', input: { command: expect.stringContaining('echo hello') } })
    expect(events.find(({ type }) => type === 'message')).toMatchObject({ text: 'All is well.' })
    const { o } = await fleet.output(task.task_id)
    expect(o.toString()).toContain('hello\n')
    expect(o.toString()).toMatch(/All is well\.\n$/)
    const lines = await fleet.cli(['task', 'events', task.task_id])
    expect(
      lines.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(events)
    expect(JSON.parse((await fleet.cli(['task', 'events', '--json', task.task_id])).stdout)).toEqual(events)
    expect(linesOf(witness())).toEqual(['run'])
    expect(readdirSync(fleet.paths.device('local').agents), 'its folder goes with it').toEqual([])
    expect(processesOf(task)).toEqual([])
  })

  test('w28: events are live on the topic of the run, before it has ended', async () => {
    const client = await fleet.mqtt()
    const seen: unknown[] = []
    client.on('message', (topic, payload) => seen.push([topic, JSON.parse(payload.toString()).records[0][2]]))
    await client.subscribeAsync('skein/v1/default/device/local/agent/+')
    const id = await ask('[long] go')
    const followed = fleet.cli(['task', 'logs', '-f', id])
    await eventually('a first event', () => seen.length > 2)
    expect((await fleet.task(id)).state).toBe('active')
    const { body } = await fleet.answered('GET', `/tasks/${id}/events`)
    expect(body.events.length, 'and are kept from the first on').toBeGreaterThan(0)
    expect(seen[0]).toEqual([`skein/v1/default/device/local/agent/${id}-1`, 'a'])
    expect(await fleet.ended(id)).toMatchObject({ state: 'succeeded' })
    await client.endAsync(true)
    // The same to read: what tools and model say, and beside it what is done.
    const { stdout, stderr } = await followed
    expect(stdout).toMatch(/^line 1\n.*line 6\n.*the tool is over\n$/s)
    expect(stderr).toMatch(/skein: shell · for i in.*skein: completed: 2 turns, 40 tokens/s)
  })

  test('w24: its device beats while it works', async () => {
    const id = await ask('[slow] x')
    await eventually('it works', async () => (await fleet.task(id)).runs[0]?.state === 'running')
    const client = await fleet.mqtt()
    const beats: string[][] = []
    client.on('message', (_, payload) => beats.push(JSON.parse(payload.toString()).running))
    await client.subscribeAsync('skein/v1/default/device/local/heartbeat')
    await eventually('two heartbeats', () => beats.length >= 2)
    expect(beats[1]).toEqual([`${id}-1`])
    await fleet.cancel(id)
    await fleet.ended(id)
    await client.endAsync(true)
  })

  test('somebody tells it something while it works', async () => {
    const id = await ask('[long] go')
    await eventually('it works', async () => (await fleet.answered('GET', `/tasks/${id}/events`)).body.events.length > 1)
    expect((await fleet.cli(['task', 'say', id, 'also check the journal'])).code).toBe(0)
    expect(await fleet.ended(id)).toMatchObject({ state: 'succeeded' })
    expect(await eventsOf(id)).toContainEqual(
      expect.objectContaining({ type: 'said', text: 'also check the journal', by: 'admin' }),
    )
    expect(model.asked().filter((one) => one.includes('also check the journal')).length, 'the model hears it').toBeGreaterThan(0)
    const late = await fleet.api('POST', `/tasks/${id}/say`, { text: 'more' })
    expect([late.status, late.body.error.code]).toEqual([409, 'conflict'])
  })

  describe('approvals', () => {
    test('a tool waits until it is approved, and who did it is kept', async () => {
      const before = linesOf(witness()).length
      const id = await ask('go', { approve: 'tools' })
      const { approval } = await pending(id)
      expect(linesOf(witness()), 'nothing is done before').toHaveLength(before)
      expect((await fleet.cli(['approval', 'approve', approval, '--reason', 'fine'])).code).toBe(0)
      expect(await fleet.ended(id)).toMatchObject({ state: 'succeeded' })
      expect(linesOf(witness())).toHaveLength(before + 1)
      const { body } = await fleet.answered('GET', `/approvals/${approval}`)
      expect(body).toMatchObject({ state: 'approved', by: 'admin', reason: 'fine', task_id: id, tool: 'developer__shell' })
      const twice = await fleet.api('POST', `/approvals/${approval}/reject`, {})
      expect([twice.status, twice.body.error.code]).toEqual([409, 'conflict'])
      const events = (await eventsOf(id)).filter(({ type }) => type === 'permission')
      expect(events.map(({ state, by }) => [state, by])).toEqual([
        ['pending', null],
        ['approved', 'admin'],
      ])
    })

    test('rejected over MQTT, it goes on without', async () => {
      const before = linesOf(witness()).length
      const id = await ask('go', { approve: { matching: ['shell*'] } })
      const { approval } = await pending(id)
      const client = await fleet.mqtt()
      const input = { approval, reason: 'not today' }
      await client.publishAsync('skein/v1/default/request/admin/approval/reject', JSON.stringify({ id: '1', input }), { qos: 1 })
      expect(await fleet.ended(id)).toMatchObject({ state: 'succeeded' })
      expect(linesOf(witness())).toHaveLength(before)
      expect((await fleet.answered('GET', `/approvals/${approval}`)).body).toMatchObject({
        state: 'rejected',
        reason: 'not today',
      })
      await client.endAsync(true)
    })

    test('nobody answers: it is no', async () => {
      const before = linesOf(witness()).length
      const task = await answerTo('go', { approve: 'tools', approval_seconds: 0.5 })
      expect(task.state).toBe('succeeded')
      expect(linesOf(witness())).toHaveLength(before)
      const { body } = await fleet.answered('GET', `/approvals?task_id=${task.task_id}`)
      expect(body.approvals).toMatchObject([{ state: 'expired', answer: null, by: null }])
    })

    test('what no pattern matches is not asked for; a viewer may not answer', async () => {
      expect(await answerTo('go', { approve: { matching: ['write*'] } })).toMatchObject({ state: 'succeeded' })
      const token = await fleet.tokenFor('vera', 'viewer')
      await fleet.enter('vera', token)
      await fleet.online('local')
      const id = await ask('go', { approve: 'tools' })
      const { approval } = await pending(id)
      const refused = await fleet.api('POST', `/approvals/${approval}/approve`, {}, token)
      expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden'])
      await fleet.cancel(id)
      expect(await fleet.ended(id)).toMatchObject({ state: 'cancelled' })
      expect((await fleet.answered('GET', `/approvals/${approval}`)).body).toMatchObject({ state: 'withdrawn' })
    })

    test('an answer that is given while the hub dies reaches the agent', async () => {
      const id = await ask('go', { approve: 'tools' })
      const { approval } = await pending(id)
      fleet.kill('hub')
      await eventually('it is back', async () => (await fleet.api('GET', `/approvals/${approval}`)).status === 200)
      expect((await fleet.answered('GET', `/approvals/${approval}`)).body).toMatchObject({ state: 'pending' })
      await fleet.answered('POST', `/approvals/${approval}/approve`, {})
      expect(await fleet.ended(id)).toMatchObject({ state: 'succeeded' })
    })
  })

  describe('no success', () => {
    // All at once: some of them take Goose several tries.
    test('w21: a model that fails, hangs or is used up, and an agent that loops, each for its own reason', async () => {
      const cases: [what: string, prompt: string, payload: Payload, stop: string][] = [
        ['a model that answers 429', '[later] x', {}, 'model_error'],
        ['a model that answers 500', '[broken] x', {}, 'model_error'],
        ['a model that answers no JSON', '[garbage] x', {}, 'model_error'],
        ['a model whose answer breaks off', '[half] x', {}, 'model_error'],
        ['a model that never answers', '[hang] x', { silence_seconds: 1 }, 'silence'],
        ['a tool that never ends', '[stray] x', { silence_seconds: 1 }, 'silence'],
        ['an agent that loops', '[loop] x', { max_repeats: 4 }, 'repeats'],
        ['an agent that has had its turns', '[loop] x', { max_turns: 3 }, 'max_turns'],
        ['an agent over its tokens', '[count] x', { budget: { tokens: 100 } }, 'budget_tokens'],
        ['an agent over its money', '[count] x', { budget: { cost: 0.0005 } }, 'budget_cost'],
      ]
      const ids = await Promise.all(cases.map(([, prompt, payload]) => ask(prompt, payload)))
      for (const [i, [what, , , stop]] of cases.entries()) {
        const task = await fleet.ended(ids[i] ?? '')
        expect([what, task.state, task.exit_code === 0, task.reason]).toEqual([
          what,
          'failed',
          false,
          expect.stringContaining(stop),
        ])
        expect(agentOf(task)).toMatchObject({ stop_reason: stop })
        expect(processesOf(task)).toEqual([])
      }
    })

    test('a budget of 1,000 tokens ends it soon after', async () => {
      const before = linesOf(witness()).length
      const task = await answerTo('[count] x', { budget: { tokens: 1000 } })
      expect(agentOf(task)).toMatchObject({ stop_reason: 'budget_tokens' })
      // 20 tokens a turn, and what was on its way.
      expect(linesOf(witness()).length - before).toBeLessThan(80)
    })

    test('an agent that exits without a word of the protocol: what it wrote is kept', async () => {
      const task = await answerTo('x', { agent: 'crasher' })
      expect(task).toMatchObject({ state: 'failed', exit_code: 7, reason: expect.stringContaining('agent_exited') })
      expect(await eventsOf(task.task_id)).toContainEqual(expect.objectContaining({ type: 'output', text: 'no protocol' }))
      const { o, e } = await fleet.output(task.task_id)
      expect([o.toString(), e.toString()]).toEqual(['', 'why\n'])
    })

    test('a timeout ends one that hangs at that time, with nothing left', async () => {
      const task = await answerTo('[hang] x', {}, { options: { timeout_seconds: 2 } })
      expect([task.state, agentOf(task)['stop_reason']]).toEqual(['timed_out', 'timed_out'])
      const run = task.runs[0]
      const lasted = Date.parse(run?.ended_at ?? '') - Date.parse(run?.started_at ?? '')
      expect(Math.round(lasted / 1000)).toBe(2)
      expect(processesOf(task)).toEqual([])
    })

    test('an agent that is not there, or not on this device, ends with 127; a secret that is not there is named', async () => {
      expect(await answerTo('x', { agent: 'nobody' })).toMatchObject({
        state: 'failed',
        exit_code: 127,
        reason: 'agent_not_found: "nobody"',
      })
      expect(await answerTo('x', { agent: 'absent' })).toMatchObject({
        state: 'failed',
        exit_code: 127,
        reason: 'command_not_found: "no-such-agent"',
      })
      expect(await answerTo('x', { secrets: ['NOT_HERE'] })).toMatchObject({
        state: 'failed',
        reason: 'secret_not_found: NOT_HERE',
      })
    })
  })

  test('w22: a cancel in the middle of a stream, and of a tool that hides, ends it and leaves no process', async () => {
    for (const prompt of ['[slow] x', '[stray] x']) {
      const id = await ask(prompt)
      await eventually('it works', async () => (await fleet.answered('GET', `/tasks/${id}/events`)).body.events.length > 0)
      await fleet.cancel(id)
      const task = await fleet.ended(id)
      expect(task).toMatchObject({ state: 'cancelled', runs: [{ confirmed: true }] })
      expect(processesOf(task)).toEqual([])
    }
  })

  test('a file of secrets that cannot be read fails the run, and nothing else', async () => {
    const { secrets } = fleet.paths.device('local')
    const pid = fleet.pidOf('device local')
    writeFileSync(secrets, '{ no JSON')
    expect(await answerTo('go')).toMatchObject({
      state: 'failed',
      exit_code: 125,
      reason: expect.stringContaining('cannot_start'),
    })
    rmSync(secrets)
    expect(await answerTo('go')).toMatchObject({ state: 'succeeded' })
    expect(fleet.pidOf('device local')).toBe(pid)
  })

  test('w26, w30: secrets come only where they are named, and out of nothing that is kept; the token of the device never', async () => {
    const local = ['local', 'secret', 'set', 'CANARY']
    expect((await fleet.cli(local, { input: `${canary}\n` })).code).toBe(0)
    const task = await answerTo('[leak] x', { secrets: ['CANARY'] })
    expect(task.state).toBe('succeeded')
    const events = JSON.stringify(await eventsOf(task.task_id))
    const { o, e } = await fleet.output(task.task_id)
    const all = `${events}\n${o}\n${e}\n${JSON.stringify(task)}`
    expect(all).toContain('[redacted:CANARY]')
    for (const form of [canary, Buffer.from(canary).toString('base64').slice(0, 18)]) expect(all).not.toContain(form)
    const token = readFileSync(fleet.paths.device('local').token, 'utf8').trim()
    expect(all).not.toContain(token)
    expect(all).not.toContain('not for agents')
    expect(agentOf(task)['artifacts']).toEqual([{ path: 'a/b.txt', size: 4, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }])
    // Nowhere on the disk but where it is held.
    const found = filesWith(fleet.data, canary)
    expect(found).toEqual([fleet.paths.device('local').secrets])
    const { stdout } = await fleet.cli(['local', 'secret', 'list', '--json'])
    expect(JSON.parse(stdout)).toEqual(['CANARY'])
    expect(statSync(fleet.paths.device('local').secrets).mode & 0o777).toBe(0o600)
    // The model sees what the agent does: `env` shows the secret to one that it was named to, and to no other.
    const sawIt = (questions: string[]): boolean => questions.some((one) => one.includes(`CANARY=${canary}`))
    const before = model.asked()
    expect(sawIt(before)).toBe(true)
    expect(await answerTo('[leak] x')).toMatchObject({ state: 'succeeded' })
    expect(sawIt(model.asked().slice(before.length))).toBe(false)
  })

  test('it works in the folder that is said, and keeps in mind what it is to keep in mind', async () => {
    const folder = join(fleet.root, 'here')
    mkdirSync(folder)
    const task = await answerTo('[where] x', { cwd: folder, system: 'Speak like a sailor.' })
    expect(task.state).toBe('succeeded')
    expect(JSON.stringify((await eventsOf(task.task_id)).find(({ type }) => type === 'tool_result'))).toContain(folder)
    expect(model.asked().some((one) => one.includes('Speak like a sailor.') && one.includes('[where] x'))).toBe(true)
  })

  test('a conversation that is kept is gone on with, on its device', async () => {
    const first = await answerTo('go', { keep_session: true })
    const session = agentOf(first)['session']
    expect(session).toBe(first.runs[0]?.run_id)
    const before = linesOf(witness()).length
    // The script goes by what was said before: a second prompt finds the last of its answers.
    const second = await answerTo('and again', { session })
    expect([second.state, agentOf(second)['turns'], agentOf(second)['session']]).toEqual(['succeeded', 1, null])
    expect(linesOf(witness())).toHaveLength(before)
    expect(await answerTo('x', { session: 'nothing-1' })).toMatchObject({
      state: 'failed',
      reason: 'session_not_found: nothing-1',
    })
  })

  test('w31: a server of tools that is named is there', async () => {
    const server = { name: 'everything', command: process.execPath, args: [programs?.server ?? ''] }
    const task = await answerTo('[echo] x', { mcp_servers: [server] })
    expect(task.state).toBe('succeeded')
    const result = (await eventsOf(task.task_id)).find(({ type }) => type === 'tool_result')
    expect(JSON.stringify(result)).toContain('from afar')
  })

  test('another agent by its profile, with a server of tools over HTTP', async () => {
    const port = await freePort()
    const args = [programs?.server ?? '', 'streamableHttp']
    const server = spawn(process.execPath, args, { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' })
    try {
      await eventually('it listens', () => fetch(`http://127.0.0.1:${port}/mcp`).then(() => true))
      const servers = [{ name: 'everything', type: 'http', url: `http://127.0.0.1:${port}/mcp` }]
      const task = await answerTo('[echo] x', { agent: 'helper', mcp_servers: servers })
      expect([task.state, agentOf(task)['agent']]).toEqual(['succeeded', 'helper'])
      const result = (await eventsOf(task.task_id)).find(({ type }) => type === 'tool_result')
      expect(JSON.stringify(result)).toContain('from afar')
    } finally {
      server.kill()
    }
  })

  test('a recipe of Goose is filled, and run; what fails in it is no success', async () => {
    const recipe = (conversation: string) =>
      stringify({
        ...{ version: '1.0.0', title: 'look', description: 'looks around', prompt: `[${conversation}] look at {{ place }}` },
        parameters: [{ key: 'place', input_type: 'string', requirement: 'required', description: 'where' }],
        extensions: [{ type: 'builtin', name: 'developer' }],
      })
    const filled = (conversation: string, payload: Payload = {}): Promise<TaskInFull> =>
      answerTo('', { prompt: undefined, recipe: recipe(conversation), params: { place: 'here' }, ...payload })
    const before = linesOf(witness()).length
    const task = await filled('default')
    expect(task.state).toBe('succeeded')
    expect(agentOf(task)).toMatchObject({ stop_reason: 'completed', text: 'All is well.', turns: 2, tokens: 40, cost: 0.00022 })
    expect(linesOf(witness())).toHaveLength(before + 1)
    const types = (await eventsOf(task.task_id)).map(({ type }) => type).filter((type) => type !== 'output')
    expect(types.filter((type, i) => type !== types[i - 1])).toEqual([
      'tool_call',
      'tool_output',
      'tool_result',
      'message',
      'usage',
      'complete',
    ])
    for (const [conversation, payload, stop] of [
      ['garbage', {}, 'model_error'],
      ['loop', { max_repeats: 3 }, 'repeats'],
      ['default', { params: {} }, 'agent_exited'],
    ] as const)
      expect(await filled(conversation, payload)).toMatchObject({ state: 'failed', reason: expect.stringContaining(stop) })
  })

  test('w23, w25: ten at once on one device, each told as what it is', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => ask('go')))
    const tasks = await Promise.all(ids.map((id) => fleet.ended(id)))
    expect(tasks.map(({ state }) => state)).toEqual(ids.map(() => 'succeeded'))
    expect(tasks.map((task) => agentOf(task)['turns'])).toEqual(ids.map(() => 2))
  })

  test('a daemon that is killed takes it along: daemon_lost, tried again by rule, and never twice at a time', async () => {
    const before = linesOf(witness()).length
    const id = await ask('[twice] go', {}, { options: { retries: 1, retry_backoff_seconds: 0 } })
    // Only what its agent has written down can be gone on with: that it has before it does the next.
    await eventually('it does the second', () => linesOf(furtherOn()).length > 0)
    const first = (await fleet.task(id)).runs[0]?.run_id ?? ''
    fleet.kill('device local')
    const task = await fleet.ended(id)
    expect(task.runs.map(({ state, reason }) => [state, reason])).toEqual([
      ['failed', expect.stringContaining('daemon_lost')],
      ['succeeded', null],
    ])
    expect(processesWith(`SKEIN_RUN=${first}`)).toEqual([])
    // The conversation is gone on with: what was done is not done again.
    expect(linesOf(witness()).length).toBe(before + 1)
    expect(agentOf(task)).toMatchObject({ stop_reason: 'completed', text: 'done twice' })
  })

  test('what was used is added up by device and model', async () => {
    const { body } = await fleet.answered('GET', '/agents/usage')
    const [goose] = body.usage.filter((one: { agent: string; model: string }) => one.agent === 'goose' && one.model === 'gpt-4o')
    expect(goose).toMatchObject({ device: 'local', provider: 'openai', currency: 'USD' })
    expect(goose.runs).toBeGreaterThan(goose.succeeded)
    expect(goose.tokens).toBeGreaterThanOrEqual(20 * goose.succeeded)
    expect((await fleet.answered('GET', '/agents/usage?since=2100-01-01T00:00:00Z')).body.usage).toEqual([])
    expect((await fleet.cli(['usage', '--since', '1h'])).stdout).toMatch(/^local +goose +gpt-4o/m)
  })
})

const filesWith = (folder: string, text: string): string[] => {
  const found: string[] = []
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(text))
      found.push(join(entry.parentPath, entry.name))
  return found
}

test.skipIf(programs === undefined)(
  'w22: cancels at random moments end all that they meet, and leave no process',
  async () => {
    await cancelAgents({ seed: seedOf('agent-cancel'), cancels: 8, path: programs?.path ?? '' })
  },
  120_000,
)
