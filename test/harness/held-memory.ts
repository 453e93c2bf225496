import { once } from 'node:events'
import { Session } from 'node:inspector/promises'
import { WebSocket } from 'ws'
import { eventually } from './eventually.ts'

/** Heap and buffers, in MB. What the kernel counts as resident is more: V8 collects late, and gives back later. */
const usedIn = ({ heapUsed, external }: NodeJS.MemoryUsage): number => (heapUsed + external) / 1024 / 1024

/** What this process still holds when everything that nobody needs has been collected. */
export const heldHere = async (): Promise<number> => {
  const session = new Session()
  session.connect()
  await session.post('HeapProfiler.collectGarbage')
  session.disconnect()
  return usedIn(process.memoryUsage())
}

/** The same of another process of Node, by the inspector that SIGUSR1 opens. It was started with `--inspect-port=0`; `said` is what it wrote to stderr. */
export const heldBy = async (pid: number, said: () => string): Promise<number> => {
  process.kill(pid, 'SIGUSR1')
  const url = await eventually('the inspector listens', () => /Debugger listening on (ws:\S+)/.exec(said())?.[1])
  const socket = new WebSocket(url)
  await once(socket, 'open')
  let lastId = 0
  const ask = async (method: string, params: object = {}): Promise<unknown> => {
    lastId += 1
    socket.send(JSON.stringify({ id: lastId, method, params }))
    for (;;) {
      const [data]: [Buffer] = (await once(socket, 'message')) as [Buffer] // a text frame comes as bytes
      const answer = JSON.parse(data.toString()) as { id?: number; result?: { result?: { value?: unknown } } } // the inspector's protocol
      if (answer.id === lastId) return answer.result?.result?.value
    }
  }
  await ask('HeapProfiler.collectGarbage')
  const usage = await ask('Runtime.evaluate', { expression: 'JSON.stringify(process.memoryUsage())' })
  socket.close()
  await once(socket, 'close')
  return usedIn(JSON.parse(String(usage)))
}
