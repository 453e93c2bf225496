import { filterOf, readTopic } from '../../schemas/topics.ts'
import { openMqttClient } from '../mqtt-client.ts'

/** Listens to heartbeats of all devices: how late each is, by when its device says that it was sent; all on this machine's clock. */
interface Settings {
  url: string
  token: string
}

const { url, token }: Settings = JSON.parse(process.argv[2] ?? '{}') // what the bench wrote
const fleet = 'default'
let latenesses: number[] = []
let worstGapMs = 0
const lastAt = new Map<string, number>()

const client = await openMqttClient({
  url,
  clientId: 'bench-watcher',
  token,
  onClose: () => process.exit(1),
  onMessage: (topic, payload) => {
    const device = readTopic(fleet, topic)?.params['device'] ?? ''
    const { at } = JSON.parse(payload.toString())
    const now = Date.now()
    latenesses.push(now - Date.parse(at))
    worstGapMs = Math.max(worstGapMs, now - (lastAt.get(device) ?? now))
    lastAt.set(device, now)
  },
})
await client.subscribe([filterOf(fleet, 'deviceHeartbeat')], 0)

process.on('message', (note: { kind: string }) => {
  if (note.kind === 'begin') {
    latenesses = []
    worstGapMs = 0
    lastAt.clear()
  } else {
    const sorted = latenesses.sort((a, b) => a - b)
    const at = (p: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
    process.send?.({
      kind: 'heartbeats',
      count: sorted.length,
      devices: lastAt.size,
      p50: at(0.5),
      p99: at(0.99),
      worst: sorted.at(-1),
      worstGapMs,
    })
  }
})
process.on('disconnect', () => process.exit(0))
process.send?.({ kind: 'ready' })
