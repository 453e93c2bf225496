import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openFolder, removeFolder } from '../../base/bundle/folders.ts'
import { createPlacing } from '../../base/bundle/placing.ts'
import { settle } from '../../base/bundle/settling.ts'
import { unpackBundle } from '../../base/bundle/unpack.ts'
import { verifyFolder } from '../../base/bundle/verify.ts'
import { type Content, honestBundle } from '../harness/hostile-bundles.ts'
import { canMount, mountSmallDisk } from '../harness/small-disk.ts'

let root: string
let into: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skein-unpack-'))
  into = join(root, 'into')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const contents: Content[] = [
  { path: 'bin/run', content: '#!/bin/sh\necho run\n', executable: true },
  { path: 'bin/start', link: 'run' },
  { path: 'data/deep/er/file', content: 'x'.repeat(1000) },
  { path: 'data/zeros', content: '\0'.repeat(3000) },
]
const bundleOf = (list: readonly Content[]) => {
  const { bytes, digest } = honestBundle(list)
  const file = join(root, 'bundle')
  writeFileSync(file, bytes)
  return { file, digest }
}
const unpacked = async (list: readonly Content[] = contents) => {
  const { file, digest } = bundleOf(list)
  const result = await unpackBundle(file, digest, into)
  if (!result.ok) throw new Error(result.message)
  return result.manifest
}

describe('unpackBundle()', () => {
  test('gives each file its mode, whatever the umask, and no more', async () => {
    const umask = process.umask(0o077)
    try {
      await unpacked()
    } finally {
      process.umask(umask)
    }
    const modeOf = (path: string): string => (statSync(join(into, path)).mode & 0o7777).toString(8)
    const paths = ['.', 'bin', 'bin/run', 'data/deep/er', 'data/zeros', '.skein-release.json']
    expect(paths.map(modeOf)).toEqual(['755', '755', '755', '755', '644', '644'])
    expect(readFileSync(join(into, 'bin/start'), 'utf8')).toBe('#!/bin/sh\necho run\n')
  })

  test('lets nobody look into the folder before all is there', async () => {
    const { file, digest } = bundleOf([...contents, { path: 'large', content: 'x'.repeat(5_000_000) }])
    const done = unpackBundle(file, digest, into)
    const modes = new Set<number>()
    let isDone = false
    void done.finally(() => {
      isDone = true
    })
    while (!isDone) {
      const isWhole = existsSync(join(into, 'bin/start'))
      const stat = statSync(into, { throwIfNoEntry: false })
      if (stat && !isWhole) modes.add(stat.mode & 0o777)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect([...modes]).toEqual([0o700])
  })

  test('leaves a folder alone that is there already', async () => {
    const { file, digest } = bundleOf(contents)
    mkdirSync(into)
    writeFileSync(join(into, 'theirs'), 'x')
    await expect(unpackBundle(file, digest, into)).rejects.toThrow(`Cannot unpack a release into "${into}"`)
    rmSync(into, { recursive: true })
    mkdirSync(join(root, 'other'))
    symlinkSync('other', into)
    await expect(unpackBundle(file, digest, into)).rejects.toThrow('Cannot unpack')
    expect([lstatSync(into).isSymbolicLink(), readdirSync(join(root, 'other'))]).toEqual([true, []])
    await expect(unpackBundle(file, digest, join(root, 'nowhere', 'into'))).rejects.toThrow('no such file or folder')
  })

  test('leaves nothing behind when it is called off', async () => {
    const { file, digest } = bundleOf(Array.from({ length: 500 }, (_, i) => ({ path: `f${1000 + i}`, content: 'x' })))
    for (const turns of [0, 1, 5, 20, 80]) {
      const calling = new AbortController()
      const done = unpackBundle(file, digest, into, calling.signal)
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      calling.abort()
      await expect(done).rejects.toThrow('aborted')
      expect(readdirSync(root)).toEqual(['bundle'])
    }
  })

  test.skipIf(!canMount())('says that the disk is full, and gives back what it took', async () => {
    const disk = mountSmallDisk(join(root, 'disk'), 1)
    try {
      const { file, digest } = bundleOf([...contents, { path: 'large', content: 'x'.repeat(2_000_000) }])
      await expect(unpackBundle(file, digest, join(root, 'disk/into'))).rejects.toThrow('no space left')
      expect(readdirSync(join(root, 'disk'))).toEqual([])
    } finally {
      disk.close()
    }
  })

  test('touches nothing outside while somebody puts links to there in the place of its folders', async () => {
    const many = Array.from({ length: 300 }, (_, i) => ({ path: `a/f${1000 + i}`, content: `ours ${i}` }))
    const { file, digest } = bundleOf([...many, { path: 'a/g/deep', content: 'ours' }, { path: 'a/h', link: 'g/deep' }])
    const outside = join(root, 'outside')
    mkdirSync(join(outside, 'g'), { recursive: true })
    for (let i = 0; i < 150; i++) writeFileSync(join(outside, `f${1000 + i}`), 'theirs', { mode: 0o600 })
    writeFileSync(join(outside, 'g/theirs'), 'theirs', { mode: 0o600 })
    const state = (): string[] =>
      readdirSync(outside, { recursive: true, encoding: 'utf8' })
        .sort()
        .map(
          (name) =>
            `${name} ${lstatSync(join(outside, name)).ino} ${lstatSync(join(outside, name)).mtimeMs} ${lstatSync(join(outside, name)).mode}`,
        )
    const before = state()
    let refused = 0
    for (let round = 0; round < 200 && refused < 10; round++) {
      const swapping = spawn(process.execPath, ['-e', swapper, into, outside], { stdio: ['pipe', 'pipe', 'inherit'] })
      await once(swapping.stdout, 'data')
      const result = await unpackBundle(file, digest, into)
      swapping.stdin.end()
      await once(swapping, 'exit')
      expect(state()).toEqual(before)
      if (result.ok) expect(await verifyFolder(into, result.manifest)).toBeUndefined()
      else {
        expect([result.code, existsSync(into)]).toEqual(['entry_mismatch', false])
        refused++
      }
      rmSync(into, { recursive: true, force: true })
    }
    expect(refused).toBe(10)
  }, 60_000)
})

describe('what is swapped between two steps', () => {
  const files = ['a/1', 'a/2', 'b/1'].map((path) => ({ path, executable: false }))
  /** Places files, lets somebody do something after the first, and settles. */
  const place = async (meddle: () => void): Promise<void> => {
    mkdirSync(into)
    const root = openSync(into, 'r')
    const placing = createPlacing(root)
    try {
      for (const [i, file] of files.entries()) {
        await placing.put(file, [Buffer.from('ours')])
        if (i === 0) meddle()
      }
      await placing.end()
      await settle(root, [...files.slice(0, 2), { path: 'a/link', link: '1' }, ...files.slice(2)], placing, undefined)
    } finally {
      placing.close()
      closeSync(root)
    }
  }
  let outside: string
  beforeEach(() => {
    outside = join(root, 'outside')
    mkdirSync(outside, { mode: 0o700 })
    writeFileSync(join(outside, '1'), 'theirs', { mode: 0o600 })
  })
  const untouched = (folder: string): void => {
    expect(readdirSync(folder)).toEqual(['1'])
    expect(readFileSync(join(folder, '1'), 'utf8')).toBe('theirs')
    expect([statSync(folder).mode & 0o777, statSync(join(folder, '1')).mode & 0o777]).toEqual([0o700, 0o600])
  }

  test('a link in the place of a folder leads nowhere', async () => {
    const swapped = place(() => {
      renameSync(join(into, 'a'), join(into, 'away'))
      symlinkSync(outside, join(into, 'a'))
    })
    await expect(swapped).rejects.toMatchObject({ code: expect.stringMatching(/^(ELOOP|ENOTDIR)$/) })
    untouched(outside)
    expect(readdirSync(join(into, 'away'))).toEqual(['1', '2'])
  })

  test('another folder in the place of one is left as it is', async () => {
    const swapped = place(() => {
      renameSync(join(into, 'a'), join(into, 'away'))
      renameSync(outside, join(into, 'a'))
    })
    await expect(swapped).rejects.toThrow('"a" has been replaced')
    untouched(join(into, 'a'))
  })

  test('a link where a folder is to come is not gone through', async () => {
    await expect(place(() => symlinkSync(outside, join(into, 'b')))).rejects.toMatchObject({ code: 'EEXIST' })
    untouched(outside)
  })

  test('a link where a file is to come is not written through', async () => {
    const file = join(outside, '1')
    await expect(place(() => symlinkSync(file, join(into, 'a/2')))).rejects.toMatchObject({ code: 'EEXIST' })
    untouched(outside)
  })

  test('another file in the place of one is refused', async () => {
    const swapped = place(() => {
      renameSync(join(into, 'a/1'), join(into, 'away'))
      writeFileSync(join(into, 'a/1'), 'ours')
    })
    await expect(swapped).rejects.toThrow('"a/1" has been replaced')
  })

  test('removeFolder() removes links, and nothing that they lead to', async () => {
    mkdirSync(join(into, 'sub'), { recursive: true })
    symlinkSync(outside, join(into, 'sub/link'))
    symlinkSync('../outside/1', join(into, 'file'))
    const parent = openSync(root, 'r')
    const folder = openSync(into, 'r')
    await removeFolder(parent, 'into', folder)
    for (const fd of [folder, parent]) closeSync(fd)
    untouched(outside)
    expect(existsSync(into)).toBe(false)
  })

  test('openFolder() opens no link to a folder', () => {
    symlinkSync(outside, into)
    expect(() => openFolder(into)).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  })
})

/** Puts a link in the place of a folder and takes it away again, as fast as it can, until its input ends. */
const swapper = `
const { renameSync, symlinkSync, unlinkSync } = require('node:fs')
const [into, outside] = process.argv.slice(1)
// The folder is not there yet, or is in its other place: the next turn has it.
const attempt = (work) => { try { work() } catch {} }
let isOver = false
process.stdin.resume().on('end', () => { isOver = true })
const swap = () => {
  for (let i = 0; i < 20; i++) {
    attempt(() => renameSync(into + '/a', into + '/a.away'))
    attempt(() => symlinkSync(outside, into + '/a'))
    attempt(() => unlinkSync(into + '/a'))
    attempt(() => renameSync(into + '/a.away', into + '/a'))
  }
  if (!isOver) setImmediate(swap)
}
process.stdout.write('ready')
swap()
`

describe('verifyFolder()', () => {
  test.each<[string, () => void]>([
    ['"data/zeros" has 12 bytes and not 3000', () => truncateSync(join(into, 'data/zeros'), 12)],
    ['"data/zeros" has another content', () => writeFileSync(join(into, 'data/zeros'), `${'\0'.repeat(2999)}x`)],
    ['"bin/run" is missing', () => rmSync(join(into, 'bin/run'))],
    ['"data" is missing', () => rmSync(join(into, 'data'), { recursive: true })],
    ['"data/more" does not belong to it', () => writeFileSync(join(into, 'data/more'), '')],
    ['"bin/start" is missing', () => rmSync(join(into, 'bin/start'))],
    ['"bin/start" is not the link to "run" any more', () => replace('bin/start', (path) => symlinkSync('../data', path))],
    ['"bin/run" is no file any more', () => replace('bin/run', (path) => symlinkSync('start', path))],
    ['"data" is no folder any more', () => replace('data', (path) => symlinkSync('bin', path))],
    [
      '"bin/run" has the mode 0644 and not 0755',
      () => replace('bin/run', (path) => writeFileSync(path, contentOfRun, { mode: 0o644 })),
    ],
    ['".skein-release.json" is missing', () => rmSync(join(into, '.skein-release.json'))],
    ['"." is missing', () => rmSync(into, { recursive: true })],
  ])('tells that %s', async (told, harm) => {
    const manifest = await unpacked()
    expect(await verifyFolder(into, manifest)).toBeUndefined()
    harm()
    expect(await verifyFolder(into, manifest)).toBe(told)
  })

  test('does not mind what workloads have left there, if it is told to', async () => {
    const manifest = await unpacked()
    mkdirSync(join(into, 'bin/cache'))
    expect(await verifyFolder(into, manifest, { ignoresStrays: true })).toBeUndefined()
    rmSync(join(into, 'bin/run'))
    expect(await verifyFolder(into, manifest, { ignoresStrays: true })).toBe('"bin/run" is missing')
  })
})

const contentOfRun = '#!/bin/sh\necho run\n'
const replace = (path: string, put: (path: string) => void): void => {
  rmSync(join(into, path), { recursive: true })
  put(join(into, path))
}
