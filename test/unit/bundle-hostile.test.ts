import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkBundle } from '../../base/bundle/check.ts'
import { unpackBundle } from '../../base/bundle/unpack.ts'
import { verifyFolder } from '../../base/bundle/verify.ts'
import { type Content, type Hostile, honestBundle, hostileBundles } from '../harness/hostile-bundles.ts'
import { seeded } from '../harness/seeded.ts'

let root: string
let outside: string
let before: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skein-bundle-'))
  outside = join(root, 'outside')
  mkdirSync(join(outside, 'x'), { recursive: true })
  for (const name of ['passwd', 'a', 'x/a']) writeFileSync(join(outside, name), `canary ${name}`, { mode: 0o600 })
  before = stateOf(outside)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const stateOf = (folder: string): string =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { mode, mtimeMs, ino, size } = lstatSync(join(folder, name))
      return `${name} ${mode} ${mtimeMs} ${ino} ${size}`
    })
    .join('\n')

/** What of this world is open in this process. */
const openFiles = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return target.startsWith(root) ? [target] : []
    } catch {
      return [] // it was that of the folder itself
    }
  })

/** What both make of a bundle: the same, with nothing left open, touched, or lying around. */
const tried = async ({ bytes, digest }: Hostile) => {
  const file = join(root, 'bundle')
  const into = join(root, 'into')
  writeFileSync(file, bytes)
  const checked = await checkBundle(file)
  const unpacked = await unpackBundle(file, digest, into)
  expect(openFiles()).toEqual([])
  expect(stateOf(outside)).toBe(before)
  if (checked.ok) {
    expect(unpacked).toEqual({ ok: true, manifest: checked.manifest })
    expect(await verifyFolder(into, checked.manifest)).toBeUndefined()
    rmSync(into, { recursive: true })
  } else expect(unpacked).toEqual(checked)
  expect(readdirSync(root).sort()).toEqual(['bundle', 'outside'])
  return checked
}

describe('checkBundle() and unpackBundle() refuse', () => {
  for (const [what, { code, make }] of Object.entries(hostileBundles('/tmp/outside-of-all')))
    test(`${what}: ${code}`, async () => {
      // Each is tried twice: with a path that is there, and with one that is not.
      for (const bundle of [make(), hostileBundles(outside)[what]?.make() ?? make()]) {
        const checked = await tried(bundle)
        expect(checked).toEqual({ ok: false, code, message: expect.stringMatching(/^[^.\n][^\n]{5,400}[^.\n]$/) })
      }
    })
})

const contents: Content[] = [
  { path: 'bin/run', content: '#!/bin/sh\necho run\n', executable: true },
  { path: 'bin/start', link: 'run' },
  {
    path: 'data/noise',
    content: Array.from({ length: 4000 }, (_, i) => String.fromCharCode(33 + ((i * i * 7919) % 90))).join(''),
  },
  { path: 'data/nothing', content: '' },
  { path: 'data/zeros', content: '\0'.repeat(3000) },
  { path: 'workloads/one.yaml', content: 'name: one\n' },
]

test('checkBundle() and unpackBundle() refuse a bundle that was cut off, wherever', async () => {
  const { bytes, digest } = honestBundle(contents)
  for (let part = 0; part < 20; part++) {
    const checked = await tried({ bytes: bytes.subarray(0, Math.floor((bytes.length * part) / 20)), digest })
    expect(checked, `${part}/20`).toMatchObject({ ok: false, code: 'bundle_unreadable' })
  }
  expect(await tried({ bytes: bytes.subarray(0, -1), digest })).toMatchObject({ ok: false, code: 'bundle_unreadable' })
})

test('checkBundle() and unpackBundle() refuse a bundle with a bit turned over, or it changes nothing', async () => {
  const { bytes, digest } = honestBundle(contents)
  const { below } = seeded(7)
  let taken = 0
  for (let round = 0; round < 200; round++) {
    const damaged = Buffer.from(bytes)
    const at = below(bytes.length)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << below(8))
    const checked = await tried({ bytes: damaged, digest })
    if (!checked.ok) continue
    expect(checked.digest, `byte ${at}`).toBe(digest)
    taken++
  }
  // What is written at the beginning of a gzip, as when it was made, is no part of the content.
  expect(taken).toBeLessThan(10)
}, 60_000)

test('unpackBundle() refuses another release than the one that is wanted', async () => {
  const { bytes, digest } = honestBundle(contents)
  writeFileSync(join(root, 'bundle'), bytes)
  const wanted = digest.replace(/^./, (first) => (first === '0' ? '1' : '0'))
  expect(await unpackBundle(join(root, 'bundle'), wanted, join(root, 'into'))).toMatchObject({
    ok: false,
    code: 'digest_mismatch',
  })
  expect(readdirSync(root).sort()).toEqual(['bundle', 'outside'])
})

test('checkBundle() refuses what goes beyond the bounds that it is given', async () => {
  writeFileSync(join(root, 'bundle'), honestBundle(contents).bytes)
  const bounds = { files: 6, manifestBytes: 1000, bundleBytes: 10_000, unpackedBytes: 8000 }
  const check = (more: Partial<typeof bounds>) => checkBundle(join(root, 'bundle'), { ...bounds, ...more })
  expect(await check({})).toMatchObject({ ok: true })
  for (const more of [{ files: 5 }, { manifestBytes: 500 }, { bundleBytes: 500 }, { unpackedBytes: 7000 }])
    expect(await check(more), JSON.stringify(more)).toMatchObject({ ok: false, code: 'bundle_too_large' })
})

test('checkBundle() refuses what is no file', async () => {
  expect(await checkBundle(join(root, 'nothing'))).toMatchObject({ ok: false, code: 'bundle_unreadable' })
  expect(await checkBundle(outside)).toMatchObject({ ok: false, code: 'bundle_unreadable' })
})
