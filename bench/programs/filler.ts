import { replyTopicOf, topicOf } from '../../schemas/topics.ts'
import { type MqttClient, openMqttClient } from '../mqtt-client.ts'

/** Submits many tasks that no device can take, over several connections, as fast as they are acknowledged. */
interface Settings {
  url: string
  token: string
  connections: number
  count: number
}

const { url, token, connections, count }: Settings = JSON.parse(process.argv[2] ?? '{}') // what the bench wrote
const request = topicOf('default', 'request', { client: 'admin', operation: 'task/submit' })
const inFlight = 200
let sent = 0
let acknowledged = 0

const more = (client: MqttClient): void => {
  if (sent >= count) return
  sent += 1
  // Half of them for devices that are away, half for a label that nobody has.
  const target = sent % 2 === 0 ? { device: `away-${sent % 1000}` } : { selector: 'bench=nowhere' }
  const task = { payload: { command: ['true'] }, target }
  client.publish(request, JSON.stringify({ reply_to: `${replyTopicOf('default', 'admin')}/nobody`, input: task }), () => {
    acknowledged += 1
    if (acknowledged % 100_000 === 0) process.send?.({ kind: 'progress', acknowledged })
    if (acknowledged === count) process.send?.({ kind: 'filled' })
    more(client)
  })
}

for (let i = 0; i < connections; i++) {
  const client = await openMqttClient({
    url,
    clientId: `bench-filler-${i}`,
    token,
    onMessage: () => undefined,
    onClose: () => process.exit(1),
  })
  for (let one = 0; one < inFlight; one++) more(client)
}
process.on('disconnect', () => process.exit(0))
