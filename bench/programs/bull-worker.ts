import { spawn } from 'node:child_process'
import { connectionTo, loadBullMq, queueName } from '../bullmq.ts'

/** BullMQ's worker: jobs that do nothing, or that start a program and wait for its end. */
interface Settings {
  folder: string
  port: number
  concurrency: number
  program?: string
}

const { folder, port, concurrency, program }: Settings = JSON.parse(process.argv[2] ?? '{}') // what the bench wrote
const { Worker } = loadBullMq(folder)

const work = (): Promise<unknown> =>
  program === undefined
    ? Promise.resolve({ exit_code: 0 })
    : new Promise((resolve, reject) => {
        const child = spawn(program, { stdio: 'ignore' })
        child.once('error', reject)
        child.once('close', (code) => resolve({ exit_code: code }))
      })

const worker = new Worker(queueName, work, { connection: connectionTo(port), concurrency })
await worker.waitUntilReady()
process.on('disconnect', () => process.exit(0))
process.send?.({ kind: 'ready' })
