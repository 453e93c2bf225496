import { replyTopicOf, topicOf } from '../../schemas/topics.ts'
import { openMqttClient } from '../mqtt-client.ts'

/**
 * Submits tasks, so many in flight, one message each at QoS 1, and counts those whose end it has seen in `event/task`: an event comes after
 * its commit. Told `measure`, it runs for so long and answers with how many and with the latency of each.
 */
interface Settings {
  url: string
  token: string
  subject: string
  inFlight: number
  task: unknown
}

const settings: Settings = JSON.parse(process.argv[2] ?? '{}') // what the bench wrote
const fleet = 'default'
const request = topicOf(fleet, 'request', { client: settings.subject, operation: 'task/submit' })
const replies = `${replyTopicOf(fleet, settings.subject)}/bench`
const events = topicOf(fleet, 'event', { kind: 'task' })
const terminal = new Set(['succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'rejected', 'expired'])

const startedAt = new Map<string, number>()
/** By task id, until both its reply and its end have been seen. */
const known = new Map<string, string>()
const endedEarly = new Set<string>()
let next = 0
let done = 0
/** Why tasks did not succeed. */
const wrong: string[] = []
let latencies: number[] = []
let isRunning = false

const submit = (): void => {
  next += 1
  const id = String(next)
  startedAt.set(id, performance.now())
  client.publish(request, JSON.stringify({ id, reply_to: replies, input: settings.task }), () => undefined)
}

const ended = (id: string): void => {
  latencies.push(performance.now() - (startedAt.get(id) ?? 0))
  startedAt.delete(id)
  done += 1
  if (isRunning) submit()
}

const client = await openMqttClient({
  url: settings.url,
  clientId: `bench-${settings.subject}`,
  token: settings.token,
  onClose: () => {
    throw new Error('the broker closed the connection')
  },
  onMessage: (topic, payload) => {
    const message = JSON.parse(payload.toString())
    if (topic === replies) {
      if (!message.ok) throw new Error(`a task was refused: ${JSON.stringify(message.error)}`)
      const taskId = message.output.task_id
      if (endedEarly.delete(taskId)) return ended(message.id)
      known.set(taskId, message.id)
      return
    }
    for (const { data } of message) {
      if (!terminal.has(data.state)) continue
      if (data.state !== 'succeeded') wrong.push(`${data.task_id} ${data.state}: ${data.reason}`)
      const id = known.get(data.task_id)
      if (id === undefined) endedEarly.add(data.task_id)
      else {
        known.delete(data.task_id)
        ended(id)
      }
    }
  },
})
await client.subscribe([replies, events])

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

process.on('message', async (note: { kind: string; warmMs: number; forMs: number; atLeast?: number }) => {
  if (note.kind !== 'measure') return
  isRunning = true
  for (let i = 0; i < settings.inFlight; i++) submit()
  await wait(note.warmMs)
  done = 0
  latencies = []
  const cpu = process.cpuUsage()
  const from = performance.now()
  do await wait(note.forMs)
  while (done < (note.atLeast ?? 0))
  const seconds = (performance.now() - from) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const figures = { done, wrong, seconds, latencies, cpuSeconds: (user + system) / 1e6 }
  isRunning = false
  // What is still in flight ends first: the next measurement begins with nothing under way.
  while (startedAt.size > 0) await wait(5)
  process.send?.({ kind: 'measured', ...figures })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ kind: 'ready' })
