import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { type Blobs, openBlobs } from '../../controller/releases/blobs.ts'

let folder: string
let blobs: Blobs
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'skein-blobs-')), 'blobs')
  blobs = openBlobs(folder, systemClock)
})
afterEach(() => {
  blobs.close()
  rmSync(join(folder, '..'), { recursive: true, force: true })
})
const bytes = randomBytes(300_000)
const sha256 = createHash('sha256').update(bytes).digest('hex')
const put = (offset: number, end: number) => blobs.put(sha256, bytes.length, offset, bytes.subarray(offset, end))
const at = (offset: number, complete = false) => ({ ok: true, output: { sha256, offset, complete } })

describe('openBlobs()', () => {
  test('a blob is there when all of it has come, in whatever pieces, and can be read from anywhere', async () => {
    expect(blobs.state(sha256)).toEqual({ sha256, offset: 0, complete: false })
    expect(await put(0, 100_000)).toEqual(at(100_000))
    expect(existsSync(blobs.file(sha256))).toBe(false)
    expect(await put(100_000, 300_000)).toEqual(at(300_000, true))
    expect(readFileSync(blobs.file(sha256)).equals(bytes)).toBe(true)
    expect(Buffer.from(await blobs.read(sha256, 299_000, 5000)).equals(bytes.subarray(299_000))).toBe(true)
    expect(Buffer.from(await blobs.read(sha256, 10, 20)).equals(bytes.subarray(10, 30))).toBe(true)
    expect(await blobs.read(sha256, 400_000, 5)).toHaveLength(0)
  })

  test('what is not the next part is answered with where to go on: also by another process, and twice', async () => {
    await put(0, 50_000)
    const other = openBlobs(folder, systemClock)
    expect(await other.put(sha256, bytes.length, 0, bytes.subarray(0, 10))).toEqual(at(50_000))
    expect(await other.put(sha256, bytes.length, 60_000, bytes.subarray(60_000))).toEqual(at(50_000))
    other.close()
    const both = await Promise.all([put(50_000, 60_000), put(50_000, 60_000), put(50_000, 60_000)])
    expect(both).toEqual([at(60_000), at(60_000), at(60_000)])
    expect(await put(60_000, 300_000)).toEqual(at(300_000, true))
    expect(await put(0, 10)).toEqual(at(300_000, true))
  })

  test('what is not what its name says, or more than was told, is refused, and nothing of it stays', async () => {
    const wrong = Buffer.from(bytes)
    wrong[7] = (wrong[7] ?? 0) ^ 1
    const refusal = await blobs.put(sha256, wrong.length, 0, wrong)
    expect(refusal).toMatchObject({ ok: false, error: { code: 'invalid', details: [{ code: 'digest_mismatch' }] } })
    expect(blobs.list()).toEqual([])
    expect(await blobs.put(sha256, 10, 0, bytes.subarray(0, 11))).toMatchObject({
      ok: false,
      error: { details: [{ code: 'too_long' }] },
    })
    expect(blobs.list()).toEqual([])
  })

  test('reading what is not there is an error, and not for ever', async () => {
    await expect(blobs.read(sha256, 0, 10)).rejects.toThrow('ENOENT')
    await put(0, 300_000)
    expect(await blobs.read(sha256, 0, 10)).toHaveLength(10)
  })

  test('other files in its folder are not blobs', async () => {
    await put(0, 10)
    writeFileSync(join(folder, 'README'), '')
    expect(blobs.list()).toMatchObject([{ sha256, bytes: 10, complete: false }])
    blobs.remove(sha256)
    expect(blobs.list()).toEqual([])
  })
})
