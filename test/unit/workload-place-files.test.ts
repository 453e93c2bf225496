import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { prepareFolder } from '../../device/workloads/start-order.ts'
import { WorkloadSpec } from '../../schemas/workload.ts'

let root: string
let folder: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skein-place-'))
  folder = join(root, 'folder')
  mkdirSync(folder)
  mkdirSync(join(root, 'etc'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const place = (...files: { path: string; mode?: string }[]): void =>
  prepareFolder(
    WorkloadSpec.parse({
      ...{ name: 'one', type: 'service', run_mode: 'forever', command: ['true'] },
      files: files.map((file) => ({ content: 'ours', ...file })),
    }),
    { fleet: 'f', device: 'd', folder, file: null, output: join(root, 'out') },
  )

test('prepareFolder() writes nothing through a link that a workload has put in place of a folder', () => {
  writeFileSync(join(root, 'etc', 'passwd'), 'theirs')
  symlinkSync(join(root, 'etc'), join(folder, 'conf'))
  place({ path: 'conf/passwd' })
  expect(readFileSync(join(root, 'etc', 'passwd'), 'utf8')).toBe('theirs')
  expect(readFileSync(join(folder, 'conf', 'passwd'), 'utf8')).toBe('ours')
})

test('prepareFolder() puts a file in place of whatever is there, with its mode', () => {
  writeFileSync(join(folder, 'data'), 'of the run before', { mode: 0o600 })
  writeFileSync(join(folder, 'conf'), 'a file where a folder is to be')
  symlinkSync(join(root, 'etc'), join(folder, 'link'))
  place({ path: 'data', mode: '0666' }, { path: 'conf/a/b', mode: '0600' }, { path: 'link' })
  expect(readFileSync(join(folder, 'data'), 'utf8')).toBe('ours')
  expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o666)
  expect(statSync(join(folder, 'conf/a/b')).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(root, 'etc'))).toEqual([])
})

test('prepareFolder() says which of its files has a folder in its place', () => {
  mkdirSync(join(folder, 'data', 'deep'), { recursive: true })
  expect(() => place({ path: 'data' })).toThrow('there is a folder of that name')
})

test.skipIf(process.geteuid?.() !== 0)('prepareFolder() gives its files to the user of the folder, at each start', () => {
  chownSync(folder, 12_345, 12_346)
  for (let start = 0; start < 2; start++) {
    place({ path: 'conf/secret', mode: '0600' })
    for (const path of ['conf', 'conf/secret'])
      expect(statSync(join(folder, path)), path).toMatchObject({ uid: 12_345, gid: 12_346 })
  }
})
