import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type ConversationDeps, startConversation } from '../../device/agents/conversation.ts'
import type { Update } from '../../device/agents/updates.ts'
import { eventually } from '../harness/eventually.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'

interface Heard {
  id?: number
  method?: string
  params: { sessionId?: string; prompt: { type: string; text: string }[] }
  result?: unknown
}

let time: ReturnType<typeof createTime>
let heard: Heard[]
let seen: Update[]
let stray: string[]
let permitted: { tool: string; title: string; input: unknown }[]
let conversation: ReturnType<typeof startConversation>
beforeEach(() => {
  time = createTime()
  heard = []
  seen = []
  stray = []
  permitted = []
})
afterEach(() => conversation.close())

const input = () =>
  new Writable({
    write: (bytes: Buffer, _, done) => {
      for (const line of bytes.toString().split('\n')) if (line !== '') heard.push(JSON.parse(line))
      done()
    },
  })
const begin = (more: Partial<ConversationDeps> = {}) => {
  conversation = startConversation({
    ...{ input: input(), clock: clockOf(time, { isDead: false, wallOffsetMs: 0 }), cwd: '/srv', servers: [], steer: undefined },
    ...{ texts: ['be brief', 'look around'], earlier: undefined, hasSession: () => {} },
    seen: (update) => seen.push(update),
    stray: (line) => stray.push(line),
    permit: async (call) => {
      permitted.push(call)
      return 'allow'
    },
    ...more,
  })
}
const say = (message: object): void => conversation.receive(Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`))
const asked = (method: string, nth = 0): Promise<Heard> =>
  eventually(method, () => heard.filter((one) => one.method === method)[nth])
const reply = async (method: string, result: object, nth = 0): Promise<Heard> => {
  const question = await asked(method, nth)
  say({ id: question.id, result })
  return question
}
const update = (fields: object): void => say({ method: 'session/update', params: { sessionId: 's1', update: fields } })
const toPrompt = async (capabilities: object = {}): Promise<Heard> => {
  await reply('initialize', { protocolVersion: 1, agentCapabilities: capabilities, authMethods: [] })
  await reply('session/new', { sessionId: 's1' })
  return asked('session/prompt')
}
/** An agent that can be told something at once has been. */
const toSteering = async (): Promise<Heard> => {
  begin({ steer: '_steer' })
  await toPrompt()
  update({ sessionUpdate: 'session_info_update', _meta: { goose: { activeRunId: 'run_1' } } })
  await eventually('it is known', () => seen.some(({ kind }) => kind === 'active'))
  conversation.say('now')
  return asked('_steer')
}

describe('startConversation()', () => {
  test('tells the system text before the prompt, and ends as the agent says', async () => {
    begin()
    const prompt = await toPrompt()
    expect(prompt.params.prompt.map((one) => one.text)).toEqual(['be brief', 'look around'])
    conversation.receive(Buffer.from('no JSON\n{"some":"thing"}\n'))
    update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'Hi' } })
    await reply('session/prompt', { stopReason: 'end_turn', usage: { totalTokens: 20 } })
    expect(await conversation.finished).toEqual({ kind: 'answered', stopReason: 'end_turn', tokens: 20 })
    expect(seen).toEqual([{ kind: 'message', text: 'Hi', isOwn: false }])
    expect(stray).toEqual(['no JSON', '{"some":"thing"}'])
    expect(conversation.say('more'), 'it does not listen any more').toBe(false)
  })

  test('a permission is of what is asked for now, not of what was announced', async () => {
    begin()
    await toPrompt()
    update({ sessionUpdate: 'tool_call', toolCallId: 'c', title: 'Terminal', rawInput: {} })
    update({ sessionUpdate: 'tool_call_update', toolCallId: 'c', status: 'in_progress', rawInput: { command: 'ls' } })
    const options = [
      { optionId: 'always', name: 'always', kind: 'allow_always' },
      { optionId: 'once', name: 'once', kind: 'allow_once' },
    ]
    const toolCall = { toolCallId: 'c', title: 'rm -rf /srv', rawInput: { command: 'rm -rf /srv' } }
    say({ id: 99, method: 'session/request_permission', params: { sessionId: 's1', toolCall, options } })
    const answer = await eventually('the answer', () => heard.find((one) => one.id === 99 && one.result))
    expect(permitted).toMatchObject([{ title: 'rm -rf /srv', input: { command: 'rm -rf /srv' } }])
    expect(answer.result).toEqual({ outcome: { outcome: 'selected', optionId: 'once' } })
  })

  test('what is said meanwhile is the next prompt, if the agent cannot be told at once', async () => {
    begin()
    await toPrompt()
    expect(conversation.say('also the journal')).toBe(true)
    await reply('session/prompt', { stopReason: 'end_turn' })
    const second = await asked('session/prompt', 1)
    expect(second.params.prompt).toEqual([{ type: 'text', text: 'also the journal' }])
    await reply('session/prompt', { stopReason: 'end_turn' }, 1)
    expect(await conversation.finished).toMatchObject({ kind: 'answered' })
  })

  test('and is told at once where it can; if the agent does not take it then, it is the next prompt', async () => {
    const steered = await toSteering()
    expect(steered.params).toMatchObject({ expectedRunId: 'run_1', prompt: [{ text: 'now' }] })
    say({ id: steered.id, error: { code: -32_602, message: 'too late' } })
    await eventually('it was refused', async () => {
      await new Promise((resolve) => setImmediate(resolve))
      return true
    })
    await reply('session/prompt', { stopReason: 'end_turn' })
    expect((await asked('session/prompt', 1)).params.prompt).toEqual([{ type: 'text', text: 'now' }])
  })

  test('an interrupted conversation is gone on with, and told what it was about; what cannot be loaded begins anew', async () => {
    const earlier = { session: 'old', wasInterrupted: true }
    begin({ earlier })
    await reply('initialize', { protocolVersion: 1, agentCapabilities: { loadSession: true }, authMethods: [] })
    const load = await asked('session/load')
    expect(load.params.sessionId).toBe('old')
    // What it repeats of then is no news.
    update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'long ago' } })
    say({ id: load.id, result: {} })
    const texts = (await asked('session/prompt')).params.prompt.map((one) => one.text)
    expect([texts[0], texts.slice(1), seen]).toEqual([expect.stringContaining('interrupted'), ['be brief', 'look around'], []])

    heard = []
    begin({ earlier })
    await reply('initialize', { protocolVersion: 1, agentCapabilities: { loadSession: true }, authMethods: [] })
    say({ id: (await asked('session/load')).id, error: { code: -32_603, message: 'gone' } })
    await reply('session/new', { sessionId: 's2' })
    const fresh = (await asked('session/prompt')).params.prompt.map((one) => one.text)
    expect(fresh).toEqual(['be brief', 'look around'])
  })

  test('what nobody knows is kept as text, and no word of it goes to the log of the daemon', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    begin()
    await toPrompt()
    update({ sessionUpdate: 'of_a_later_version', text: 'hello' })
    update({ sessionUpdate: 'agent_message_chunk', content: 'not as it should be' })
    say({ id: 'nobody asked', result: {} })
    say({ id: 4711, result: {} })
    say({ method: 4711 })
    say({ neither: 'nor' })
    await reply('session/prompt', { stopReason: 'end_turn' })
    expect(await conversation.finished).toMatchObject({ kind: 'answered' })
    const texts = seen.map((one) => ('text' in one ? one.text : one.kind))
    expect([...texts, ...stray].join('\n')).toMatch(/hello.*not as it should be.*nobody asked.*4711.*4711.*neither/s)
    expect(printed.mock.calls).toEqual([])
    printed.mockRestore()
  })

  test('what is not taken at once is not lost when the answer comes before that is known', async () => {
    const steered = await toSteering()
    await reply('session/prompt', { stopReason: 'end_turn' })
    say({ id: steered.id, error: { code: -32_602, message: 'too late' } })
    expect((await asked('session/prompt', 1)).params.prompt).toEqual([{ type: 'text', text: 'now' }])
  })

  test('an agent that does not answer, or refuses, has failed, and says why', async () => {
    begin()
    await asked('initialize')
    while (time.step(time.now() + 30_000));
    expect(await conversation.finished).toEqual({
      kind: 'failed',
      reason: expect.stringContaining('initialize was not answered'),
    })

    heard = []
    begin()
    await reply('initialize', { protocolVersion: 1, agentCapabilities: {}, authMethods: [] })
    say({ id: (await asked('session/new')).id, error: { code: -32_603, message: 'Internal error', data: 'no provider' } })
    expect(await conversation.finished).toEqual({ kind: 'failed', reason: 'Internal error: no provider' })
  })
})
