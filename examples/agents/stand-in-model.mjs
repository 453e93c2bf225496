#!/usr/bin/env node
// A model server for those who have none: it speaks as much of OpenAI's API as an agent needs, and answers from a script. No key, no bill.
//
//   node stand-in-model.mjs [--port 11435] [--script script.json] [--record asked.jsonl]
//
// A script is an object of named conversations, each a list of answers. Which conversation it is says a word in brackets in the prompt, as in
// "[disk] Why is it full?"; without one it is `default`. Which answer is given is told by how often the model has spoken before in the conversation, and the
// last one is repeated. An answer is one of
//   { "say": "text" }                                  with "delay_ms": between its words
//   { "tool": "shell", "arguments": { … } }            a call of a tool; several in "tools": [{ tool, arguments }, …]
//   { "hang": true }                                   takes the question and never answers
//   { "status": 429, "body": { … } }                   an error of HTTP
//   { "garbage": true }, { "half": "text" }            no JSON at all; a stream that breaks off
// and may have "usage": { "prompt_tokens": 12, "completion_tokens": 34 }. What was asked is appended to the file of --record, a line for each question.
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { port: { type: 'string', default: '11435' }, script: { type: 'string' }, record: { type: 'string' } },
})
const usual = {
  default: [
    { tool: 'shell', arguments: { command: 'uname -a; df -h / | tail -1' } },
    {
      say: 'This machine runs Linux, and the line above tells how full its disk is. I am a script, so that is all I know.',
      delay_ms: 40,
    },
  ],
}
const script = values.script === undefined ? usual : JSON.parse(readFileSync(values.script, 'utf8'))

const textOf = (content) => (typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join(' '))

/** The answer that is due in a conversation. */
const answerFor = ({ messages = [], tools = [] }) => {
  // Agents ask for a title as well, without any tools: that is no part of the conversation.
  if (tools.length === 0) return { say: 'A conversation with a script' }
  const asked = messages
    .filter((one) => one.role === 'user')
    .map((one) => textOf(one.content))
    .join('\n')
  const name =
    [...asked.matchAll(/\[([a-z][a-z0-9-]*)\]/g)].map((match) => match[1]).find((one) => Object.hasOwn(script, one)) ?? 'default'
  const answers = script[name] ?? [{ say: `There is no conversation "${name}" in my script.` }]
  const spoken = messages.filter((one) => one.role === 'assistant').length
  return answers[Math.min(spoken, answers.length - 1)]
}

/** The name under which the agent offers a tool: `shell` is also found as `developer__shell`. */
const toolNamed = (name, tools) =>
  tools.map((one) => one.function?.name).find((one) => one === name || one?.endsWith(`__${name}`)) ?? name

const callsOf = (answer) =>
  answer.tools ?? (answer.tool === undefined ? [] : [{ tool: answer.tool, arguments: answer.arguments ?? {} }])

let calls = 0
const deltasOf = (answer, tools) => {
  const words = (answer.say ?? answer.half ?? '').match(/\S+\s*|\s+/g) ?? []
  const said = words.map((content) => ({ content }))
  const called = callsOf(answer).map((one, index) => ({
    tool_calls: [
      {
        index,
        id: `call-${++calls}`,
        type: 'function',
        function: { name: toolNamed(one.tool, tools), arguments: JSON.stringify(one.arguments ?? {}) },
      },
    ],
  }))
  return [...said, ...called]
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const reply = async (question, response) => {
  const answer = answerFor(question)
  const model = question.model ?? 'stand-in'
  if (answer.hang) return
  if (answer.status !== undefined) {
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
    return response.end(
      JSON.stringify(answer.body ?? { error: { message: `the script says ${answer.status}`, type: 'scripted' } }),
    )
  }
  if (answer.garbage) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    return response.end('<html>this is no stream of events</html>\n\n')
  }
  const usage = { prompt_tokens: 12, completion_tokens: 8, ...answer.usage }
  usage.total_tokens = usage.prompt_tokens + usage.completion_tokens
  const deltas = deltasOf(answer, question.tools ?? [])
  const finish = callsOf(answer).length > 0 ? 'tool_calls' : 'stop'
  if (!question.stream) {
    const message = {
      role: 'assistant',
      content: answer.say ?? null,
      ...(finish === 'tool_calls' ? { tool_calls: deltas.flatMap((one) => one.tool_calls ?? []) } : {}),
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(
      JSON.stringify({
        id: 'stand-in',
        object: 'chat.completion',
        model,
        choices: [{ index: 0, message, finish_reason: finish }],
        usage,
      }),
    )
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  const send = (choices, more = {}) =>
    response.write(
      `data: ${JSON.stringify({ id: 'stand-in', object: 'chat.completion.chunk', created: 0, model, choices, ...more })}\n\n`,
    )
  for (const delta of deltas) {
    if (response.destroyed) return
    send([{ index: 0, delta: { role: 'assistant', ...delta }, finish_reason: null }])
    if (answer.delay_ms) await sleep(answer.delay_ms)
  }
  if (answer.half !== undefined) return response.destroy()
  send([{ index: 0, delta: {}, finish_reason: finish }])
  send([], { usage })
  response.end('data: [DONE]\n\n')
}

const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (part) => {
    body += part
  })
  request.on('end', () => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ object: 'list', data: [{ id: 'stand-in', object: 'model' }] }))
    }
    let question
    try {
      question = JSON.parse(body)
    } catch {
      response.writeHead(400, { 'content-type': 'application/json' })
      return response.end('{"error":{"message":"no JSON","type":"invalid_request_error"}}')
    }
    if (values.record) appendFileSync(values.record, `${JSON.stringify(question)}\n`)
    reply(question, response).catch(() => response.destroy())
  })
})
server.listen(Number(values.port), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`))
