import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../base/log.ts'
import { createBlobWindow } from '../../device/releases/blob-window.ts'
import { createBundles } from '../../device/releases/bundles.ts'
import { createPulling } from '../../device/releases/pulling.ts'
import { blobPieceBytes, type Fetch } from '../../schemas/desired.ts'
import { clockOf, createTime, randomFrom } from '../simulation/sim-clock.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-download-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const bytesOf = (count: number, seed = 1): Buffer => {
  const random = randomFrom(seed)
  const block = Buffer.from(Uint8Array.from({ length: 65_537 }, () => random() * 256))
  return Buffer.alloc(count, block)
}

type Answer = { offset: number; bytes: Buffer; afterMs: number }
/** What a wire does to a piece. */
type Bend = (answer: Answer) => Answer[]
const faithful: Bend = (answer) => [answer]

/** Something to pull, and somebody who has it, on simulated time. */
const createSource = (bytes: Buffer, bend: Bend = faithful) => {
  const time = createTime()
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const line = { isUp: true, asked: [] as (Fetch & { at: number })[], most: 0, waiting: 0, bend }
  const pulling = createPulling({
    clock,
    line: {
      isOpen: () => line.isUp,
      ask: (fetch) => {
        line.asked.push({ ...fetch, at: time.now() })
        const end = Math.min(bytes.length, fetch.offset + fetch.length)
        for (let offset = fetch.offset; offset < end; offset += blobPieceBytes) {
          const piece = { offset, bytes: Buffer.from(bytes.subarray(offset, Math.min(end, offset + blobPieceBytes))), afterMs: 5 }
          for (const { afterMs, ...one } of line.bend(piece)) {
            line.most = Math.max(line.most, ++line.waiting)
            time.schedule(afterMs, () => {
              line.waiting--
              if (line.isUp) pulling.take(sha256, one.offset, one.bytes)
            })
          }
        }
      },
    },
  })
  const lack = { is: undefined as string | undefined }
  const partOf = (name: string): string => join(folder, `${name}.part`)
  const bundles = createBundles({ partOf, lacksRoom: () => lack.is, pulling, log: silentLog })
  const abort = new AbortController()
  const bring = (url?: string) => {
    const state = { isDone: false, bytes: 0 }
    const bundle = { sha256, size: bytes.length, unpacked_bytes: 0, ...(url === undefined ? {} : { url }) }
    const done = bundles
      .bring(bundle, abort.signal, (count) => {
        state.bytes = count
      })
      .finally(() => {
        state.isDone = true
      })
    return { state, done }
  }
  /** Until it is brought, or so much simulated time has passed. */
  const pass = async (state: { isDone: boolean }, ms = 600_000, isEnough = (): boolean => false): Promise<void> => {
    const until = time.now() + ms
    while (!state.isDone && !isEnough() && time.now() < until) {
      if (!time.step(time.now() + 100)) await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  return { sha256, line, lack, abort, bring, pass, pulling, part: partOf(sha256) }
}

describe('createBlobWindow()', () => {
  const window = (over: object = {}) => createBlobWindow({ size: 100, from: 0, windowBytes: 40, askBytes: 20, ...over })
  const part = (length: number) => new Uint8Array(length)

  test('asks for no more than fits, and for the rest as it comes', () => {
    const one = window()
    expect(one.next()).toEqual([
      { offset: 0, length: 20 },
      { offset: 20, length: 20 },
    ])
    expect(one.next()).toEqual([])
    one.take(0, part(10))
    expect(one.next()).toEqual([])
    one.take(10, part(10))
    expect(one.next()).toEqual([{ offset: 40, length: 20 }])
    expect(window({ from: 90 }).next()).toEqual([{ offset: 90, length: 10 }])
  })

  test('gives in order what comes in any, and what was not asked for not at all', () => {
    const one = window()
    one.next()
    expect(one.take(30, part(10))).toEqual([])
    expect(one.take(10, part(20))).toEqual([])
    expect(one.missing()).toEqual([{ offset: 0, length: 10 }])
    expect(one.take(0, part(10))?.map(({ length }) => length)).toEqual([10, 20, 10])
    expect([one.at(), one.missing()]).toEqual([40, []])
    for (const [offset, length] of [
      [0, 10],
      [40, 10],
      [30, 20],
      [39, 1],
    ] as const)
      expect(one.take(offset, part(length))).toBeUndefined()
  })

  test('takes pieces that overlap', () => {
    const one = window()
    one.next()
    one.take(5, part(10))
    one.take(12, part(10))
    expect(one.take(0, part(8))?.map(({ length }) => length)).toEqual([8, 7, 7])
    expect(one.at()).toBe(22)
    expect(one.missing()).toEqual([{ offset: 22, length: 18 }])
  })

  test('asks again for what is missing between what came; and holds no more than its window, whatever comes', () => {
    const one = window()
    one.next()
    one.take(10, part(5))
    one.take(38, part(2))
    expect(one.missing()).toEqual([
      { offset: 0, length: 10 },
      { offset: 15, length: 20 },
      { offset: 35, length: 3 },
    ])
    const taken = Array.from({ length: 39 }, (_, i) => one.take(i + 1, part(39 - i))).filter((parts) => parts !== undefined)
    expect(taken.length, 'of 780 bytes that overlap').toBeLessThan(3)
  })
})

describe('pulling', () => {
  test.each([0, 1, 65_536, 524_288, 5_000_001])('brings %i bytes as they are', async (count) => {
    const bytes = bytesOf(count)
    const source = createSource(bytes)
    const { state, done } = source.bring()
    await source.pass(state)
    expect(await done).toEqual({ ok: true, file: source.part })
    expect(readFileSync(source.part).equals(bytes)).toBe(true)
    expect(state.bytes).toBe(count)
    expect(source.line.most, 'no more than 2 MiB are on their way').toBeLessThanOrEqual(32)
  })

  test('goes on through what is lost, doubled, late, cut and in any order', async () => {
    const random = randomFrom(7)
    const bytes = bytesOf(3_000_000)
    const source = createSource(bytes, (answer) => {
      const late = (): Answer => ({ ...answer, afterMs: random() * 800 })
      const dice = random()
      if (dice < 0.15) return []
      if (dice < 0.3) return [late(), late()]
      // Another broker may hand over less at a time.
      if (dice < 0.4) return [late(), { ...late(), offset: answer.offset + 100, bytes: answer.bytes.subarray(100) }]
      return [late()]
    })
    const { state, done } = source.bring()
    await source.pass(state)
    expect([await done, readFileSync(source.part).equals(bytes)]).toEqual([{ ok: true, file: source.part }, true])
  })

  test('asks again after 2 s, then after twice as long, up to 30 s; and at once when there is somebody new to hear it', async () => {
    const source = createSource(bytesOf(100_000), () => [])
    const { state } = source.bring()
    await source.pass(state, 120_000)
    const at = source.line.asked.map((one) => one.at)
    const waits = at.slice(1).map((time, i) => Math.round((time - (at[i] ?? 0)) / 1000))
    expect(waits.slice(0, 6)).toEqual([2, 4, 8, 16, 30, 30])
    source.line.bend = faithful
    source.pulling.askAgain()
    await source.pass(state, 1000)
    expect(state.isDone).toBe(true)
  })

  test('waits while there is no connection, and goes on where it was', async () => {
    const source = createSource(bytesOf(4_000_000))
    const { state, done } = source.bring()
    await source.pass(state, 600_000, () => state.bytes >= 1_500_000)
    source.line.isUp = false
    await source.pass(state, 3000)
    const [{ bytes }, { length }] = [state, source.line.asked]
    await source.pass(state, 100_000)
    expect([state.bytes, source.line.asked.length]).toEqual([bytes, length])
    source.line.isUp = true
    source.pulling.askAgain()
    await source.pass(state, 1000)
    expect(await done).toMatchObject({ ok: true })
    expect(Math.min(...source.line.asked.slice(length).map(({ offset }) => offset))).toBe(bytes)
  })

  test('goes on from what is on the disk, and begins again where that is more than there can be', async () => {
    const bytes = bytesOf(1_000_000)
    const source = createSource(bytes)
    writeFileSync(source.part, bytes.subarray(0, 700_001))
    const first = source.bring()
    await source.pass(first.state)
    expect([await first.done, source.line.asked[0]?.offset]).toEqual([{ ok: true, file: source.part }, 700_001])
    writeFileSync(source.part, Buffer.concat([bytes, bytes]))
    const second = source.bring()
    await source.pass(second.state)
    expect([await second.done, readFileSync(source.part).equals(bytes)]).toEqual([{ ok: true, file: source.part }, true])
  })

  test('what is damaged on its way is thrown away and brought again; then it is given up', async () => {
    const bytes = bytesOf(300_000)
    const bad: Bend = (answer) => [{ ...answer, bytes: Buffer.from(answer.bytes).fill(0, 100, 110) }]
    let count = 0
    const once = createSource(bytes, (answer) => (count++ < 5 ? bad(answer) : [answer]))
    const first = once.bring()
    await once.pass(first.state)
    expect([await first.done, readFileSync(once.part).equals(bytes)]).toEqual([{ ok: true, file: once.part }, true])
    rmSync(once.part)
    const always = createSource(bytes, bad)
    const second = always.bring()
    await always.pass(second.state)
    expect(await second.done).toEqual({ ok: false, reason: 'bundle damaged in transit' })
    expect([existsSync(always.part), always.line.asked.length]).toEqual([false, 4])
  })

  test('is not begun without room for it', async () => {
    const source = createSource(bytesOf(10))
    source.lack.is = 'disk_full: it takes 9 MiB'
    expect(await source.bring().done).toEqual({ ok: false, reason: 'disk_full: it takes 9 MiB' })
    expect(source.line.asked).toEqual([])
  })

  test('ends when it is not wanted any more, and leaves what has come', async () => {
    const source = createSource(bytesOf(4_000_000))
    const { state, done } = source.bring()
    await source.pass(state, 600_000, () => state.bytes > 0)
    source.abort.abort()
    await done
    expect(statSync(source.part).size).toBe(state.bytes)
  })

  test('takes at least 40 MB in a second', async () => {
    const bytes = bytesOf(64 * 1024 * 1024)
    const source = createSource(bytes)
    const since = performance.now()
    const { state, done } = source.bring()
    await source.pass(state)
    expect(await done).toMatchObject({ ok: true })
    // Four times as long as that takes: what runs beside this takes its part.
    expect(performance.now() - since).toBeLessThan(4 * (64 / 40) * 1000)
  })
})

describe('a bundle that has an address', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })
  const serve = async (answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> => {
    const server = createServer(answer)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/bundle` // of a server that listens
  }
  const ranged = (bytes: Buffer, asked: string[] = []) =>
    serve((request, response) => {
      asked.push(request.headers.range ?? '')
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1])
      response.writeHead(206, { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }).end(bytes.subarray(from))
    })
  const bytes = bytesOf(3_000_000)
  const brought = async (url: string, begin = 0) => {
    const source = createSource(bytes)
    if (begin > 0) writeFileSync(source.part, bytes.subarray(0, begin))
    const { state, done } = source.bring(url)
    await source.pass(state)
    expect([await done, readFileSync(source.part).equals(bytes)]).toEqual([{ ok: true, file: source.part }, true])
    return source.line.asked
  }

  test('comes from there, the rest of it if there is a part', async () => {
    const asked: string[] = []
    const url = await ranged(bytes, asked)
    expect(await brought(url)).toEqual([])
    expect(await brought(url, 1000)).toEqual([])
    expect(asked).toEqual(['bytes=0-', 'bytes=1000-'])
  })

  test('comes whole from a server that knows no ranges, also where there is a part', async () => {
    const url = await serve((_, response) => void response.end(bytes))
    expect(await brought(url, 1000)).toEqual([])
  })

  test('is followed three times, and not a fourth', async () => {
    const last = await ranged(bytes)
    const hop = (to: string) => serve((_, response) => void response.writeHead(302, { location: to }).end())
    const third = await hop(await hop(await hop(last)))
    expect(await brought(third)).toEqual([])
    rmSync(createSource(bytes).part)
    expect((await brought(await hop(third)))[0]).toMatchObject({ offset: 0 })
  })

  test.each([
    ['nobody answers', async () => 'http://127.0.0.1:1/x', 0],
    ['it is not there', () => serve((_, response) => void response.writeHead(404).end('none')), 0],
    [
      'it leads elsewhere',
      () => serve((_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end()),
      0,
    ],
    [
      'another part comes',
      () => serve((_, response) => void response.writeHead(206, { 'content-range': 'bytes 7-9/10' }).end('abc')),
      0,
    ],
    ['it is another one', () => serve((_, response) => void response.end(bytesOf(bytes.length, 5))), 0],
    ['there is more of it', () => serve((_, response) => void response.end(Buffer.concat([bytes, bytes]))), undefined],
    ['it ends too soon', () => serve((_, response) => void response.end(bytes.subarray(0, 1_000_000))), 1_000_000],
    [
      'it is cut',
      () =>
        serve((_, response) => {
          response.writeHead(200, { 'content-length': bytes.length })
          response.write(bytes.subarray(0, 500_000), () => setTimeout(() => response.destroy(), 50))
        }),
      undefined,
    ],
  ])('comes from the controller where %s', async (_, address, offset) => {
    const asked = await brought(await address())
    expect(asked.length).toBeGreaterThan(0)
    if (offset !== undefined) expect(asked[0]?.offset).toBe(offset)
  })
})
