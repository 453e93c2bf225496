import { createRequire } from 'node:module'

/** What the bench uses of BullMQ 5: it is installed into a cache, so there are no types of its own. */
export interface BullMq {
  Queue: new (
    name: string,
    options: BullOptions,
  ) => {
    add(name: string, data: unknown): Promise<{ id?: string }>
    waitUntilReady(): Promise<unknown>
    close(): Promise<void>
  }
  Worker: new (
    name: string,
    work: (job: { data: unknown }) => Promise<unknown>,
    options: BullOptions & { concurrency: number },
  ) => { waitUntilReady(): Promise<unknown> }
  QueueEvents: new (
    name: string,
    options: BullOptions,
  ) => {
    waitUntilReady(): Promise<unknown>
    on(event: 'completed', call: (job: { jobId: string }) => void): void
  }
}

interface BullOptions {
  connection: { host: string; port: number; maxRetriesPerRequest: null }
}

export const loadBullMq = (folder: string): BullMq => createRequire(`${folder}/package.json`)(folder) as BullMq // its public names, by its docs

export const connectionTo = (port: number): BullOptions['connection'] => ({ host: '127.0.0.1', port, maxRetriesPerRequest: null })

export const queueName = 'bench'
