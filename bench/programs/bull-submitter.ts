import { connectionTo, loadBullMq, queueName } from '../bullmq.ts'

/** Adds jobs to BullMQ, so many in flight, and counts those whose end its QueueEvents have told. The twin of submitter.ts. */
interface Settings {
  folder: string
  port: number
  inFlight: number
}

const { folder, port, inFlight }: Settings = JSON.parse(process.argv[2] ?? '{}') // what the bench wrote
const { Queue, QueueEvents } = loadBullMq(folder)
const connection = connectionTo(port)
const queue = new Queue(queueName, { connection })
const events = new QueueEvents(queueName, { connection })
await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])

/** When the job was submitted, by its id; a job may end before its `add` has been answered. */
const startedAt = new Map<string, number>()
const endedEarly = new Set<string>()
let open = 0
let done = 0
let latencies: number[] = []
let isRunning = false

const submit = (): void => {
  const at = performance.now()
  open += 1
  void queue.add('noop', { payload: { command: ['true'] } }).then(({ id = '' }) => {
    if (endedEarly.delete(id)) ended(at)
    else startedAt.set(id, at)
  })
}

const ended = (at: number): void => {
  latencies.push(performance.now() - at)
  done += 1
  open -= 1
  if (isRunning) submit()
}

events.on('completed', ({ jobId }) => {
  const at = startedAt.get(jobId)
  if (at === undefined) return void endedEarly.add(jobId)
  startedAt.delete(jobId)
  ended(at)
})

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

process.on('message', async (note: { kind: string; warmMs: number; forMs: number; atLeast?: number }) => {
  if (note.kind !== 'measure') return
  isRunning = true
  for (let i = 0; i < inFlight; i++) submit()
  await wait(note.warmMs)
  done = 0
  latencies = []
  const cpu = process.cpuUsage()
  const from = performance.now()
  do await wait(note.forMs)
  while (done < (note.atLeast ?? 0))
  const seconds = (performance.now() - from) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const figures = { done, wrong: [], seconds, latencies, cpuSeconds: (user + system) / 1e6 }
  isRunning = false
  while (open > 0) await wait(5)
  process.send?.({ kind: 'measured', ...figures })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ kind: 'ready' })
