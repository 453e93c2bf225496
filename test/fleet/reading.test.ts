import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import type { Closable } from '../../base/lifecycle.ts'
import { silentLog } from '../../base/log.ts'
import { pathsIn } from '../../base/paths.ts'
import { ReadFailed, type Reading } from '../../controller/reading/reading.ts'
import { startReadingWorker } from '../../controller/reading/reading-worker.ts'
import { openStore, type Store } from '../../controller/store/store.ts'
import { newTask } from '../../controller/store/tasks.ts'
import { fillWithEnded } from '../harness/many-tasks.ts'

let folder: string
let store: Store
let reading: (Reading & Closable) | undefined
const damaged: string[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-reading-'))
})
afterEach(async () => {
  await reading?.close()
  store?.close()
  rmSync(folder, { recursive: true, force: true })
})

const start = (script = new URL('../../dist/reader.js', import.meta.url)): Reading & Closable => {
  const { controllerDb, logDb } = pathsIn(folder)
  store = openStore(controllerDb, logDb)
  const started = startReadingWorker({
    file: controllerDb,
    logFile: logDb,
    clock: systemClock,
    log: silentLog,
    script,
    damaged: (database) => damaged.push(database),
  })
  reading = started
  return started
}

describe('the reading worker', () => {
  test('sees what was committed before it is asked', async () => {
    fillWithEnded(folder, 10, 1)
    const reading = start()
    for (let i = 0; i < 20; i++) {
      const id = `task-${i}`
      const row = {
        type: 'command',
        rank: 2,
        source: 'api',
        requested_by: 'a',
        body: '{}',
        fingerprint: 'x',
        open: 1,
        created_at: 1,
      }
      store.tasks.insert(newTask({ ...row, task_id: id }), [])
      expect((await reading.tasks({ limit: 1 }, 1000))[0]?.task_id).toBe(id)
    }
    expect((await reading.overview()).tasks).toEqual({ queued: 20, succeeded: 10 })
  })

  test('counts and scans many tasks without holding the loop of who asks', async () => {
    fillWithEnded(folder, 100_000, 1)
    const reading = start()
    await reading.overview()
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    const began = performance.now()
    const found = await reading.tasks({ repository: 'nowhere', limit: 10 }, 1000)
    const ms = performance.now() - began
    clearInterval(timer)
    expect(found).toEqual([])
    // In this thread the scan would let none of them come.
    expect(ticks, `${ms} ms`).toBeGreaterThan(Math.floor(ms / 10))
  })

  test('stops a page with the row that is too much', async () => {
    fillWithEnded(folder, 100, 1)
    const rows = await start().tasks({ limit: 100 }, 1000)
    expect(rows.length).toBeGreaterThan(1)
    expect(rows.length).toBeLessThan(20)
  })

  test('a worker that dies is started again; who waited is told to ask again', async () => {
    fillWithEnded(folder, 1, 1)
    const script = join(folder, 'dies.mjs')
    writeFileSync(
      script,
      `import { parentPort } from 'node:worker_threads'
       parentPort.on('message', ({ id, rest }) => (rest[0] === -1 ? process.exit(3) : parentPort.postMessage({ id, ok: true, value: 7 })))`,
    )
    const reading = start(pathToFileURL(script))
    expect(await reading.endedBefore(5)).toBe(7)
    const dying = [reading.endedBefore(-1), reading.endedBefore(6)]
    for (const one of await Promise.allSettled(dying)) {
      expect(one.status).toBe('rejected')
      if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(ReadFailed)
    }
    expect(await reading.endedBefore(8)).toBe(7)
  })

  test('says which database is broken', async () => {
    fillWithEnded(folder, 1, 1)
    const script = join(folder, 'broken.mjs')
    writeFileSync(
      script,
      `import { parentPort } from 'node:worker_threads'
       parentPort.on('message', ({ id }) => parentPort.postMessage({ id, ok: false, message: 'malformed', code: 'SQLITE_CORRUPT' }))`,
    )
    const reading = start(pathToFileURL(script))
    await expect(reading.log('x', { after: 0, limit: 1, maxBytes: 1 })).rejects.toThrow('malformed')
    await expect(reading.overview()).rejects.toThrow('malformed')
    expect(damaged).toEqual(['logs', 'controller'])
  })
})
