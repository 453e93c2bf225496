import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkBundle } from '../../base/bundle/check.ts'
import { readManifest } from '../../base/bundle/manifest.ts'
import { packFolder } from '../../base/bundle/pack.ts'
import { unpackBundle } from '../../base/bundle/unpack.ts'
import { verifyFolder } from '../../base/bundle/verify.ts'
import { listWorkloadFiles } from '../../base/workload-files/list.ts'
import { eventually } from '../harness/eventually.ts'
import { type Seeded, seeded } from '../harness/seeded.ts'

let root: string
let folder: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skein-pack-'))
  folder = join(root, 'folder')
  mkdirSync(folder)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const put = (path: string, content: string | Buffer = path, mode = 0o644): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), content)
  chmodSync(join(folder, path), mode)
}
const link = (path: string, to: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  symlinkSync(to, join(folder, path))
}
const packed = async () => {
  const packing = await packFolder(folder, join(root, 'bundle'))
  if (!packing.ok) throw new Error(JSON.stringify(packing.faults))
  return packing
}
const faults = async () => {
  const packing = await packFolder(folder, join(root, 'bundle'))
  expect(existsSync(join(root, 'bundle'))).toBe(false)
  return packing.ok ? [] : packing.faults.map(({ path, code }) => `${path} ${code}`)
}
const paths = async () => (await packed()).manifest.entries.map(({ path }) => path)

/** All that counts of a folder, as it is found without any of the code that is tried. */
const contentsOf = (of: string): string[] =>
  readdirSync(of, { recursive: true, encoding: 'utf8' })
    .sort()
    .flatMap((path) => {
      const stat = lstatSync(join(of, path))
      if (stat.isDirectory() || path === '.skein-release.json') return []
      if (stat.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(of, path))}`]
      return [`${path} ${(stat.mode & 0o100) !== 0} ${readFileSync(join(of, path)).toString('base64')}`]
    })

const names: readonly [string, ...string[]] = [
  'a',
  'b',
  'Zoë',
  '日本語',
  'with space',
  '-x',
  '👩‍🚀',
  'é',
  'e\u0301',
  '\uffee',
  '"quoted\'',
  '.hidden',
  '*',
  'a.b-c_d',
  'x'.repeat(90),
  'ü'.repeat(60),
]

/** Makes a tree that has everything a release may have. */
const plant = ({ below, pick, isLucky }: Seeded): void => {
  const made: string[] = []
  const grow = (at: string, depth: number): void => {
    for (let i = 0; i < 2 + below(4); i++) {
      const path = `${at}${pick(names)}`
      if (existsSync(join(folder, path)) || Buffer.byteLength(path) > 400) continue
      if (depth < 4 && isLucky(0.4)) {
        mkdirSync(join(folder, path))
        grow(`${path}/`, depth + 1)
      } else if (made.length > 0 && isLucky(0.2)) link(path, `${'../'.repeat(depth)}${made[below(made.length)]}`)
      else {
        put(path, Buffer.alloc(pick([0, 1, 511, 512, 513, 5000, 70_000]), path), pick([0o644, 0o755, 0o600, 0o700, 0o444]))
        made.push(path)
      }
    }
  }
  put('first')
  grow('', 0)
}

describe('packFolder()', () => {
  test('what it packs is checked and unpacked as it was, whatever it is', async () => {
    for (let seed = 0; seed < 25; seed++) {
      rmSync(folder, { recursive: true })
      mkdirSync(folder)
      plant(seeded(seed))
      const packing = await packed()
      const { digest, manifest, bundle } = packing
      const checked = await checkBundle(join(root, 'bundle'))
      expect(checked, `seed ${seed}`).toMatchObject({ ok: true, digest, manifest, unpackedBytes: bundle.unpacked_bytes })
      const into = join(root, 'into')
      expect(await unpackBundle(join(root, 'bundle'), digest, into)).toEqual({ ok: true, manifest })
      expect(contentsOf(into), `seed ${seed}`).toEqual(contentsOf(folder))
      expect(await verifyFolder(into, manifest)).toBeUndefined()
      expect(await readManifest(readFileSync(join(into, '.skein-release.json')))).toMatchObject({ ok: true, digest, manifest })
      rmSync(into, { recursive: true })
    }
  })

  test('gives the same for the same contents: in any order, at any time, by anybody', async () => {
    plant(seeded(99))
    const first = await packed()
    const bytes = readFileSync(join(root, 'bundle'))
    const again = join(root, 'again')
    const all = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort().reverse()
    for (const path of all) {
      const stat = lstatSync(join(folder, path))
      mkdirSync(dirname(join(again, path)), { recursive: true, mode: 0o711 })
      if (stat.isSymbolicLink()) symlinkSync(readlinkSync(join(folder, path)), join(again, path))
      if (!stat.isFile()) continue
      writeFileSync(join(again, path), readFileSync(join(folder, path)))
      chmodSync(join(again, path), (stat.mode & 0o100) !== 0 ? 0o711 : 0o660)
      utimesSync(join(again, path), 1, 1)
    }
    expect(await packFolder(`${again}/`, join(root, 'other'))).toEqual(first)
    expect(readFileSync(join(root, 'other')).equals(bytes)).toBe(true)
    expect(first.bundle.size).toBe(bytes.length)
  })

  test('gives another digest for another content, name, link or executable bit, and for nothing else', async () => {
    put('a')
    link('l', 'a')
    const digests = [(await packed()).digest]
    const then = async (change: () => void): Promise<void> => {
      change()
      digests.push((await packed()).digest)
    }
    await then(() => put('a', 'other'))
    await then(() => put('a', 'other', 0o755))
    await then(() => put('b', 'other'))
    await then(() => {
      rmSync(join(folder, 'l'))
      link('l', 'b')
    })
    expect(new Set(digests).size).toBe(5)
    await then(() => mkdirSync(join(folder, 'empty')))
    expect(digests[5]).toBe(digests[4])
  })

  test('makes what other programs read too', async () => {
    const long = `${'folder/'.repeat(20)}${'ö'.repeat(50)}`
    put('plain', 'x'.repeat(1000), 0o755)
    put(long, 'long')
    link('l', 'plain')
    link('ll', long)
    await packed()
    mkdirSync(join(root, 'gnu'))
    execFileSync('tar', ['-xzf', join(root, 'bundle'), '-C', join(root, 'gnu'), '--same-permissions'])
    expect(contentsOf(join(root, 'gnu'))).toEqual(contentsOf(folder))
    const found: (string | null | undefined)[] = []
    for await (const entry of createReadStream(join(root, 'bundle')).pipe(createGunzip()).pipe(extract())) {
      found.push(entry.header.name, entry.header.linkname)
      entry.resume()
    }
    expect(found).toEqual(['.skein-release.json', null, long, null, 'l', 'plain', 'll', long, 'plain', null])
  })

  test('names everything that no release can have', async () => {
    put('fine')
    put('back\\slash')
    put('line\nfeed')
    put('.skein-release.json')
    put('suid', '', 0o4755)
    put('sgid', '', 0o2755)
    put('sticky', '', 0o1644)
    link('absolute', '/etc')
    link('up', '../folder/fine')
    link('sub/upper', '../..')
    link('round', 'about')
    link('about', 'round')
    execFileSync('mkfifo', [join(folder, 'pipe')])
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x62, 0xff])]), '')
    const server = createServer().listen(join(folder, 'socket'))
    try {
      expect(await faults()).toEqual([
        '.skein-release.json path_refused',
        'absolute link_refused',
        'back\\slash path_refused',
        'b\ufffd path_refused',
        'line\nfeed path_refused',
        'pipe type_refused',
        'sgid mode_refused',
        'socket type_refused',
        'sticky mode_refused',
        'suid mode_refused',
      ])
    } finally {
      server.close()
    }
  })

  test('names each link that leaves the folder, or leads nowhere for ever', async () => {
    put('a/b/file')
    link('a/fine', '../a/./b//file')
    link('a/dangling', '../not/there/..')
    link('a/top', '..')
    link('a/up', '../../folder/a')
    link('a/by-another', 'top/..')
    link('round', 'about')
    link('about', 'round')
    expect(await faults()).toEqual(['a/by-another link_refused', 'a/up link_refused', 'about link_refused', 'round link_refused'])
  })

  test('follows no more links on one way than Linux does', async () => {
    put('l0')
    for (let i = 1; i <= 41; i++) link(`l${i}`, `l${i - 1}`)
    expect(await faults()).toEqual(['l41 link_refused'])
    rmSync(join(folder, 'l41'))
    expect(await paths()).toHaveLength(41)
    expect(readFileSync(join(folder, 'l40'), 'utf8')).toBe('l0')
  })

  test('refuses a folder that has nothing, is none, or cannot be read', async () => {
    expect(await faults()).toEqual(['. entry_missing'])
    expect(await packFolder(join(root, 'nowhere'), join(root, 'bundle'))).toMatchObject({
      faults: [{ path: '.', code: 'file_unreadable' }],
    })
    put('file')
    await expect(packFolder(folder, join(root, 'nowhere', 'bundle'))).rejects.toThrow('Cannot write the bundle')
    expect(await packFolder(join(folder, 'file'), join(root, 'bundle'))).toMatchObject({ faults: [{ code: 'file_unreadable' }] })
  })

  test('takes names that differ by their case only', async () => {
    put('name')
    put('Name')
    expect(await paths()).toEqual(['Name', 'name'])
  })

  test('refuses more than a release may have', async () => {
    put('f')
    for (let i = 0; i < 20_000; i++) symlinkSync('f', join(folder, `l${i}`))
    expect(await faults()).toEqual(['. bundle_too_large'])
    rmSync(join(folder, 'f'))
    expect(await paths()).toHaveLength(20_000)
  }, 60_000)

  test('refuses more bytes than a release may have, before it reads them', async () => {
    put('f')
    execFileSync('truncate', ['-s', '4G', join(folder, 'sparse')])
    expect(await faults()).toEqual(['. bundle_too_large'])
  })

  test('refuses a file that changes while it is packed, and leaves what was there before', async () => {
    writeFileSync(join(root, 'bundle'), 'before')
    put('large', Buffer.alloc(20_000_000, 'x'))
    let isDone = false
    const packing = packFolder(folder, join(root, 'bundle')).finally(() => {
      isDone = true
    })
    while (!isDone) {
      appendFileSync(join(folder, 'large'), 'x')
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await packing).toMatchObject({ ok: false, faults: [{ path: 'large', code: 'entry_mismatch' }] })
    expect(readdirSync(root).sort()).toEqual(['bundle', 'folder'])
    expect(readFileSync(join(root, 'bundle'), 'utf8')).toBe('before')
  })

  test('leaves nothing behind when it is called off', async () => {
    put('large', Buffer.alloc(20_000_000, 'x'))
    const calling = new AbortController()
    const packing = packFolder(folder, join(root, 'bundle'), calling.signal)
    const failed = expect(packing).rejects.toThrow('abort')
    // It is being written.
    await eventually('the draft', () => readdirSync(root).length > 1)
    calling.abort()
    await failed
    expect(readdirSync(root)).toEqual(['folder'])
  })
})

describe('packFolder() leaves out', () => {
  test('git and the list itself, and nothing that was not asked for', async () => {
    for (const path of [
      '.git/config',
      'sub/.git',
      '.gitignore',
      'node_modules/x/index.js',
      '.skeinignore',
      'sub/.skeinignore',
      'a',
    ])
      put(path, '')
    expect(await paths()).toEqual(['.gitignore', 'a', 'node_modules/x/index.js', 'sub/.skeinignore'])
  })

  test.each<[string, string[], string[]]>([
    ['*.log', ['a.log', 'sub/b.log', 'c.log/x'], ['log', 'a.logs']],
    ['/*.log', ['a.log'], ['sub/b.log']],
    ['build/', ['build/x', 'sub/build/y/z'], ['building']],
    ['out/', ['out/x'], ['sub/out']],
    ['sub/x', ['sub/x', 'sub/x/y'], ['other/sub/x', 'x']],
    ['**/cache', ['cache', 'a/cache', 'a/b/cache/x'], ['cached']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['z', 'b/a/z']],
    ['docs/**', ['docs/a', 'docs/b/c'], ['sub/docs/a']],
    ['file?.t[xy]t', ['file1.txt', 'fileß.tyt'], ['file.txt', 'file12.txt', 'file1.tzt']],
    ['[!a-c]1', ['d1'], ['a1', 'b1', 'c1']],
    ['*\n!keep.me\n', ['x', 'y.z'], ['keep.me']],
    ['# comment\n\n\\#real\n', ['#real'], ['# comment', 'comment']],
    ['a+(b).c', ['a+(b).c'], ['aab.c', 'a+(b)xc']],
    ['blank \t', ['blank'], ['blank x']],
    ['windows\r\nlines\r\n', ['windows', 'lines'], ['line']],
  ])('what %j names', async (text, out, kept) => {
    // Each on its own: some of them cannot lie beside each other.
    for (const [path, isOut] of [...out.map((one) => [one, true] as const), ...kept.map((one) => [one, false] as const)]) {
      rmSync(folder, { recursive: true })
      put('.skeinignore', text)
      put(path)
      put('keep.me')
      expect([path, !(await paths()).includes(path)]).toEqual([path, isOut])
    }
  })

  test('nothing by a list that it does not understand', async () => {
    put('a')
    put('.skeinignore', 'fine\n[z-a]\n')
    const packing = await packFolder(folder, join(root, 'bundle'))
    expect(packing).toEqual({
      ok: false,
      faults: [{ path: '.skeinignore', code: 'ignore_invalid', message: 'line 2: "[z-a]" is no pattern' }],
    })
    rmSync(join(folder, '.skeinignore'))
    mkdirSync(join(folder, '.skeinignore'))
    expect(await faults()).toEqual(['.skeinignore file_unreadable'])
  })
})

describe('the files of workloads', () => {
  test('are those that a device will read out of the folder, in its order', async () => {
    for (const path of [
      'one.yaml',
      'two.yml',
      'sub/three.yaml',
      'vars.yaml',
      'sub/vars.yml',
      'Zoë.yaml',
      'a.yaml/b.yaml',
      'b-c.yaml',
      'b/c.yaml',
    ])
      put(`workloads/${path}`, `# ${path}\n`)
    for (const path of [
      '.hidden.yaml',
      '.git/x.yaml',
      'node_modules/x.yaml',
      'daemon.yaml',
      'inventory.yml',
      'text.txt',
      'run.sh',
    ])
      put(`workloads/${path}`, `# ${path}\n`)
    put('shared/linked.yaml', '# linked\n')
    put('other/folder/x.yaml', '# x\n')
    put('one.yaml', '# not of the folder\n')
    link('workloads/link.yaml', '../shared/linked.yaml')
    link('workloads/more', '../other')
    link('workloads/sub/again.yaml', '../more/folder/x.yaml')
    link('workloads/round', '..')
    link('workloads/nowhere', 'not/there')
    const { digest, workloadFiles } = await packed()
    const checked = await checkBundle(join(root, 'bundle'))
    await unpackBundle(join(root, 'bundle'), digest, join(root, 'into'))
    const listed = listWorkloadFiles(join(root, 'into/workloads'))
    if (!checked.ok || !listed.ok) throw new Error('cannot be read')
    const texts = checked.workloadTexts.map(({ path, text }) => ({ path: join(root, 'into', path), text }))
    expect(texts).toEqual(listed.files)
    expect(workloadFiles).toEqual(checked.workloadTexts.map(({ path }) => path))
    expect(workloadFiles).toHaveLength(15)
  })

  test.each<[string, () => void]>([
    ['workloads/large.yaml', () => put('workloads/large.yaml', Buffer.alloc(256 * 1024 + 1, '#'))],
    ['workloads/nowhere.yaml', () => link('workloads/nowhere.yaml', 'not-there')],
    ['workloads/bytes.yaml', () => put('workloads/bytes.yaml', Buffer.from([0x23, 0xff]))],
  ])('are refused when no device could read them: %s', async (path, make) => {
    make()
    put('workloads/fine.yaml')
    const packing = await packFolder(folder, join(root, 'bundle'))
    expect(packing).toMatchObject({
      ok: false,
      faults: [{ code: 'workload_unreadable', path }],
    })
    expect(listWorkloadFiles(join(folder, 'workloads')).ok).toBe(false)
  })

  test('may lie behind a link, and need not be', async () => {
    put('w/a.yaml')
    link('workloads', 'w')
    expect((await packed()).workloadFiles).toEqual(['workloads/a.yaml'])
    rmSync(join(folder, 'workloads'))
    expect((await packed()).workloadFiles).toEqual([])
  })
})
