import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readArchive, writeArchive } from '../../controller/backup/archive.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-archive-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('an archive is read as it was written, by us and by tar', () => {
  const file = join(folder, 'a.tar')
  const large = Buffer.alloc(3_000_001, 'abc')
  writeFileSync(join(folder, 'large'), large)
  const archive = writeArchive(file)
  archive.addText('a/text.json', 'täxt')
  archive.addFile('large', join(folder, 'large'), large.length)
  archive.addText('empty', '')
  const written = archive.entries
  archive.close()
  const parts: Buffer[] = []
  const read = readArchive(file, (path) => (path === 'large' ? (chunk) => void parts.push(Buffer.from(chunk)) : undefined))
  expect(read).toEqual(written)
  expect(Buffer.concat(parts).equals(large)).toBe(true)
  execFileSync('tar', ['xf', file, '-C', folder, '--one-top-level=out'])
  expect(readFileSync(join(folder, 'out', 'large')).equals(large)).toBe(true)
  expect(readFileSync(join(folder, 'out', 'a', 'text.json'), 'utf8')).toBe('täxt')
})

test('an archive that leads out of its folder, has links, or is cut off is refused', () => {
  const file = join(folder, 'a.tar')
  const archive = writeArchive(file)
  archive.addText('../outside', 'x')
  archive.close()
  expect(() => readArchive(file, () => undefined)).toThrow('no backup has')
  execFileSync('sh', ['-c', `cd '${folder}' && ln -s /etc/passwd link && tar cf links.tar --format=ustar link`])
  expect(() => readArchive(join(folder, 'links.tar'), () => undefined)).toThrow('no backup has')
  writeFileSync(file, readFileSync(file).subarray(0, 700))
  expect(() => readArchive(file, () => undefined)).toThrow(/cut off|no backup/)
  writeFileSync(file, 'no archive '.repeat(100))
  expect(() => readArchive(file, () => undefined)).toThrow('no archive')
})
