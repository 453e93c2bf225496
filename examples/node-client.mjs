#!/usr/bin/env node
// A client in plain JavaScript: submits a task over MQTT, follows it, prints its output, and ends with its exit code.
//
//   node examples/node-client.mjs KEY 'a line for sh -c'
//
// Uses the mqtt package only. Address and token come from the data folder of "skein up" (SKEIN_DATA, ./.skein).
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import mqtt from 'mqtt'

const [key = randomUUID(), line = 'echo hello from node; date -u'] = process.argv.slice(2)
const data = process.env.SKEIN_DATA || '.skein'
const { mqtt: url, fleet } = JSON.parse(readFileSync(join(data, 'endpoints.json'), 'utf8'))
const password = readFileSync(join(data, 'admin.token'), 'utf8').trim()

const subject = 'admin' // the one that admin.token belongs to
const replyTo = `skein/v1/${fleet}/reply/${subject}/node-${randomUUID()}`
const client = mqtt.connect(url, { username: 'any', password, protocolVersion: 4, reconnectPeriod: 500 })
client.on('error', (error) => console.error(`node-client: ${error.message}`))

const answers = new Map()
let wake = () => {}
client.on('message', (_topic, payload) => {
  const reply = JSON.parse(payload.toString())
  // An event is a change of the task that we follow. It carries the whole task; here it is only a reason to ask at once.
  if (reply.event) wake()
  else answers.get(reply.id)?.(reply)
})
await client.subscribeAsync(replyTo, { qos: 1 })

/** Asks, and repeats the same request until it is answered. Repeating is safe: task.submit has a key, the others only read. */
const ask = async (operation, input, more = {}) => {
  const id = randomUUID()
  const topic = `skein/v1/${fleet}/request/${subject}/${operation.replaceAll('.', '/')}`
  const message = JSON.stringify({ id, reply_to: replyTo, ...more, input })
  const answer = new Promise((resolve) => answers.set(id, resolve))
  const send = () => {
    if (client.connected) client.publish(topic, message, { qos: 1 })
  }
  const timer = setInterval(send, 2000)
  send()
  const { ok, output, error } = await answer
  clearInterval(timer)
  answers.delete(id)
  if (!ok) throw new Error(`${operation} was refused: ${error.code}: ${error.message}`)
  return output
}

const { task_id } = await ask('task.submit', { idempotency_key: key, payload: { command: line } }, { follow: true })
console.error(`node-client: task ${task_id}`)

const isOver = (state) => state !== 'queued' && state !== 'active'
let after = 0
for (;;) {
  const task = await ask('task.get', { task_id })
  const page = await ask('task.logs', { task_id, after })
  for (const [, , stream, text, goesOn] of page.records) {
    const out = stream === 'o' ? process.stdout : process.stderr
    if (text.dropped) out.write(`(${text.dropped.lines} lines are missing here: ${text.dropped.reason})\n`)
    else out.write(text.b64 === undefined ? text : Buffer.from(text.b64, 'base64'))
    if (!goesOn && !text.dropped) out.write('\n')
  }
  after = page.next
  if (isOver(task.state) && page.complete) {
    console.error(`node-client: ${task.state}${task.reason ? ` (${task.reason})` : ''}`)
    process.exitCode = task.exit_code ?? (task.state === 'succeeded' ? 0 : 1)
    break
  }
  // Woken by an event, or once a second: a push may get lost, what is stored does not.
  if (page.records.length === 0) {
    await new Promise((resolve) => {
      wake = resolve
      setTimeout(resolve, 1000)
    })
  }
}
await client.endAsync()
