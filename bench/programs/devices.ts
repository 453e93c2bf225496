import { readFileSync } from 'node:fs'
import { startSimulatedDevice } from '../simulated-device.ts'

/**
 * Simulated devices in a process of their own. Tells when all of them have been welcomed; told `count`, begins anew to count those that
 * are welcomed from then on, and by how much each came later than its backoff allows.
 */
interface Settings {
  url: string
  /** A list of devices as JSON: with their tokens it can be longer than an argument. */
  file: string
  /** How long the connects of the first time are spread over. */
  spreadMs?: number
}

const { url, file, spreadMs = 0 }: Settings = JSON.parse(process.argv[2] ?? '{}') // what the bench wrote
const devices: Device[] = JSON.parse(readFileSync(file, 'utf8')) // what the bench wrote
interface Device {
  name: string
  token: string
  capacity: number
}
let welcome = new Set<string>()
let lateMs: number[] = []
/** When the last wait of a device that is not connected is over. */
const dueAt = new Map<string, number>()

const start = (device: Device): void => {
  startSimulatedDevice({
    url,
    ...device,
    onWait: (waitMs) => dueAt.set(device.name, performance.now() + waitMs),
    onWelcome: () => {
      if (!welcome.has(device.name)) lateMs.push(performance.now() - (dueAt.get(device.name) ?? performance.now()))
      welcome.add(device.name)
      if (welcome.size === devices.length)
        process.send?.({ kind: 'ready', lateMs: Math.max(...lateMs), lateMedianMs: middle(lateMs) })
    },
  })
}
devices.forEach((device, i) => {
  setTimeout(start, (i / devices.length) * spreadMs, device)
})

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

process.on('message', (note: { kind: string }) => {
  if (note.kind !== 'count') return
  welcome = new Set()
  lateMs = []
})
process.on('disconnect', () => process.exit(0))
