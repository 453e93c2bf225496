import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'

/** What an honest bundle has of a file, or of a link. */
export type Content = { path: string; content: string; executable?: boolean } | { path: string; link: string }

/** A header of a tar, byte by byte as it is said here: nothing is checked. `sum` is right unless it is given. */
export const rawHeader = (fields: Partial<typeof plain> & { sum?: number; magic?: string }): Buffer => {
  const { name, mode, uid, size, type, link, prefix } = { ...plain, ...fields }
  const block = Buffer.alloc(512)
  block.write(name, 0, 100)
  block.write(`${octal(mode, 7)}\0${octal(uid, 7)}\0${octal(0, 7)}\0`, 100)
  block.write(`${octal(size, 11)}\0${octal(0, 11)}\0`, 124)
  block.write(type, 156, 1)
  block.write(link, 157, 100)
  block.write(fields.magic ?? 'ustar\u000000', 257)
  block.write(`${octal(0, 7)}\0${octal(0, 7)}\0`, 329)
  block.write(prefix, 345, 155)
  block.fill(0x20, 148, 156)
  const sum = fields.sum ?? block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148)
  return block
}
const plain = { name: 'a', mode: 0o644, uid: 0, size: 0, type: '0', link: '', prefix: '' }
const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')

/** Bytes up to the next block of a tar. */
export const padded = (content: string | Buffer): Buffer => {
  const bytes = Buffer.from(content)
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}
export const rawFile = (name: string, content: string, more: Parameters<typeof rawHeader>[0] = {}): Buffer =>
  Buffer.concat([rawHeader({ name, size: Buffer.byteLength(content), ...more }), padded(content)])
export const rawLink = (name: string, link: string, more: Parameters<typeof rawHeader>[0] = {}): Buffer =>
  rawHeader({ name, link, type: '2', mode: 0o777, ...more })
export const tarEnd = Buffer.alloc(1024)

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex')
const entryOf = (one: Content): object =>
  'link' in one
    ? { path: one.path, link: one.link }
    : {
        ...{ path: one.path, executable: one.executable ?? false },
        ...{ size: Buffer.byteLength(one.content), sha256: sha256(one.content) },
      }
const partOf = (one: Content): Buffer =>
  'link' in one ? rawLink(one.path, one.link) : rawFile(one.path, one.content, { mode: one.executable ? 0o755 : 0o644 })

/** A manifest as it is written; `entries` may be anything. */
export const manifestText = (entries: readonly object[]): string => JSON.stringify({ entries })
export const manifestOf = (contents: readonly Content[]): string => manifestText(contents.map(entryOf))

/** A bundle out of a manifest and whatever parts. */
export const bundleOf = (manifest: string, parts: readonly Buffer[], end: Buffer = tarEnd): Hostile => ({
  digest: sha256(manifest),
  bytes: gzipSync(Buffer.concat([rawFile('.skein-release.json', manifest), ...parts, end])),
})
export const honestBundle = (contents: readonly Content[]): Hostile => bundleOf(manifestOf(contents), contents.map(partOf))

export interface Hostile {
  /** Of its manifest, so that nobody refuses it for that. */
  digest: string
  bytes: Buffer
}

const a: Content = { path: 'a', content: 'first' }
const b: Content = { path: 'b', content: 'second' }
const c: Content = { path: 'c', link: 'a' }
const parts = [a, b, c].map(partOf)
const [partA = Buffer.alloc(0), partB = Buffer.alloc(0), partC = Buffer.alloc(0)] = parts

/** Manifest and archive agree with each other, and both want what no release may. */
const said = (...contents: Content[]): Hostile => honestBundle(contents)
/** The manifest says a, b and c, the archive something else. */
const told = (...found: Buffer[]): Hostile => bundleOf(manifestOf([a, b, c]), found)

const pax = (records: string, type = 'x'): Buffer => rawFile('PaxHeader', records, { type })
const record = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`
  const length = Buffer.byteLength(rest) + 2
  return `${length > 99 ? length + 1 : length}${rest}`
}

/** A gigabyte of zeros in a thousandth of it, one after the other: whoever reads on never comes to an end. */
const bomb = (): Buffer => Buffer.concat(Array<Buffer>(20_000).fill(gzipSync(Buffer.alloc(1024 * 1024))))

export interface HostileBundle {
  code: string
  make: () => Hostile
}

/** Bundles that must be refused, each with the code that says why. `outside` is an absolute path that they try to get at. */
export const hostileBundles = (outside: string): Record<string, HostileBundle> => {
  const passwd = `${outside}/passwd`
  const up = '../../../../../../../../../../../../tmp'
  const of = (code: string, make: () => Hostile): HostileBundle => ({ code, make })
  const behind = (bundle: Hostile, more: Buffer): Hostile => ({ ...bundle, bytes: Buffer.concat([bundle.bytes, more]) })
  return {
    'a path that goes up': of('path_refused', () => said({ path: '../../etc/passwd', content: 'x' })),
    'a path that goes up in its midst': of('path_refused', () => said({ path: 'x/../../y', content: 'x' })),
    'an absolute path': of('path_refused', () => said({ path: passwd, content: 'x' })),
    'a path with a point in it': of('path_refused', () => said({ path: './a', content: 'x' })),
    'a path with an empty name in it': of('path_refused', () => said({ path: 'x//a', content: 'x' })),
    'a path with a backslash': of('path_refused', () => said({ path: '..\\a', content: 'x' })),
    'a path with half a character': of('path_refused', () => said({ path: 'x\ud800', content: 'x' })),
    'a path with too long a name': of('path_refused', () => said({ path: `x/${'y'.repeat(256)}`, content: 'x' })),
    'a path in the place of the manifest': of('path_refused', () => said({ path: '.skein-release.json', content: 'x' })),
    'a path below the manifest': of('path_refused', () => said({ path: '.skein-release.json/x', content: 'x' })),
    'a file below a file': of('path_refused', () => said(a, { path: 'a/b', content: 'x' })),
    'a link to an absolute path': of('link_refused', () => said({ path: 'a', link: outside })),
    'a link that goes up': of('link_refused', () => said({ path: 'x/a', link: `../${up}` })),
    'a link to where the release lies': of('link_refused', () => said({ path: 'a', link: '..' })),
    'a link, and a file through it': of('link_refused', () =>
      said({ path: 'a', link: outside }, { path: 'a/passwd', content: 'x' }),
    ),
    'a link within, and a file through it': of('link_refused', () =>
      said({ path: 'a', link: 'b' }, { path: 'a/x', content: 'x' }, { path: 'b/x', content: 'y' }),
    ),
    'a link that goes up from where another leads': of('link_refused', () =>
      said({ path: 'a/b/c/d', link: '../../..' }, { path: 'a/b/e', link: 'c/d/..' }),
    ),
    'links in a circle': of('link_refused', () => said({ path: 'a', link: 'b' }, { path: 'b', link: 'a' })),
    'a link to itself': of('link_refused', () => said({ path: 'a', link: 'a' })),
    'an empty link': of('link_refused', () => said({ path: 'a', link: '' })),
    'a link with a zero in it': of('link_refused', () => said({ path: 'a', link: 'b\0c' })),
    'too many folders': of('bundle_too_large', () => said(...deepPaths())),
    'too many files': of('bundle_too_large', () =>
      said(...Array.from({ length: 20_001 }, (_, i) => ({ path: `f${10_000_000 + i}`, link: 'x' }))),
    ),
    'more bytes than may be': of('bundle_too_large', () =>
      bundleOf(manifestText([{ path: 'a', executable: false, size: 4 * 1024 ** 3 + 1, sha256: sha256('') }]), []),
    ),
    'a manifest that is too large': of('bundle_too_large', () => bundleOf(`{"entries":[${' '.repeat(4 * 1024 * 1024)}]}`, [])),
    'a manifest that says it is huge': of('bundle_too_large', () =>
      raw(rawHeader({ name: '.skein-release.json', size: 8 ** 11 - 1 })),
    ),
    'no manifest': of('manifest_missing', () => raw(partA, tarEnd)),
    'a manifest in the second place': of('manifest_missing', () =>
      raw(partA, rawFile('.skein-release.json', manifestOf([a])), tarEnd),
    ),
    'nothing but zeros': of('manifest_missing', () => raw(tarEnd)),
    'a manifest that is no JSON': of('manifest_invalid', () => bundleOf('{"entries":[', parts)),
    'a manifest that is no list': of('manifest_invalid', () => bundleOf('{"entries":{}}', parts)),
    'a manifest of nothing': of('manifest_invalid', () => bundleOf('{"entries":[]}', [])),
    'a manifest in another order': of('manifest_invalid', () => said(b, a)),
    'a manifest with a path twice': of('manifest_invalid', () => said(a, a)),
    'a manifest with blanks': of('manifest_invalid', () => bundleOf(manifestOf([a, b, c]).replace('":', '": '), parts)),
    'a manifest with a key twice': of('manifest_invalid', () =>
      bundleOf(manifestOf([a, b, c]).replace('"path":"a"', '"path":"z","path":"a"'), parts),
    ),
    'a manifest with more keys': of('manifest_invalid', () =>
      bundleOf(manifestText([{ ...entryOf(a), owner: 'root' }]), [partA]),
    ),
    'a manifest with a file that is a link too': of('manifest_invalid', () =>
      bundleOf(manifestText([{ ...entryOf(a), link: 'b' }]), [partA]),
    ),
    'a manifest with a negative size': of('manifest_invalid', () =>
      bundleOf(manifestText([{ ...entryOf(a), size: -1 }]), [partA]),
    ),
    'a manifest that is no UTF-8': of('manifest_invalid', () =>
      raw(rawHeader({ name: '.skein-release.json', size: 2 }), padded(Buffer.from([0x22, 0xff])), tarEnd),
    ),
    'a manifest that can be executed': of('manifest_invalid', () =>
      raw(rawFile('.skein-release.json', manifestOf([a]), { mode: 0o755 }), partA, tarEnd),
    ),
    'a file too few': of('entry_missing', () => told(partA, partC)),
    'an end too early': of('entry_missing', () => told(partA)),
    'a file too many': of('entry_unexpected', () => told(...parts, rawFile('d', 'more'))),
    'a file too many in the midst': of('entry_unexpected', () => told(partA, rawFile('aa', 'more'), partB, partC)),
    'a file twice': of('entry_unexpected', () => told(partA, partA, partB, partC)),
    'a file twice at the end': of('entry_unexpected', () => told(...parts, partA)),
    'files in another order': of('entry_missing', () => told(partB, partA, partC)),
    'a path beside the manifest that goes up': of('path_refused', () => told(rawFile('../../etc/passwd', 'x'), ...parts)),
    'an absolute path beside the manifest': of('path_refused', () => told(...parts, rawFile(passwd, 'x'))),
    'a path that goes up by its prefix': of('path_refused', () =>
      told(rawFile('passwd', 'x', { prefix: '../../etc' }), ...parts),
    ),
    'a link beside the manifest': of('entry_unexpected', () => told(rawLink('0', outside), rawFile('0/passwd', 'x'), ...parts)),
    'a file where a link is to be': of('entry_mismatch', () => told(partA, partB, rawFile('c', 'x'))),
    'a link where a file is to be': of('entry_mismatch', () => told(rawLink('a', outside), partB, partC)),
    'a link to elsewhere': of('link_refused', () => told(partA, partB, rawLink('c', passwd))),
    'a link to another file': of('entry_mismatch', () => told(partA, partB, rawLink('c', 'b'))),
    'a link with a content': of('entry_mismatch', () => told(partA, partB, rawLink('c', 'a', { size: 5 }), padded('first'))),
    'another content': of('entry_mismatch', () => told(rawFile('a', 'fIrst'), partB, partC)),
    'a longer content': of('entry_mismatch', () => told(rawFile('a', 'first and more'), partB, partC)),
    'something hidden behind a file': of('entry_mismatch', () =>
      told(rawHeader({ size: 5 }), padded(`first${'\0'.repeat(9)}hidden`), partB, partC),
    ),
    'another executable bit': of('entry_mismatch', () => told(rawFile('a', 'first', { mode: 0o755 }), partB, partC)),
    'a file for all to write': of('entry_mismatch', () => told(rawFile('a', 'first', { mode: 0o666 }), partB, partC)),
    'another owner': of('entry_mismatch', () => told(rawFile('a', 'first', { uid: 1000 }), partB, partC)),
    'another magic': of('entry_mismatch', () => told(rawFile('a', 'first', { magic: 'ustar  \0' }), partB, partC)),
    setuid: of('mode_refused', () => told(rawFile('a', 'first', { mode: 0o4755 }), partB, partC)),
    setgid: of('mode_refused', () => told(rawFile('a', 'first', { mode: 0o2755 }), partB, partC)),
    sticky: of('mode_refused', () => told(rawFile('a', 'first', { mode: 0o1644 }), partB, partC)),
    ...Object.fromEntries(
      Object.entries({
        'hard link': '1',
        'character device': '3',
        'block device': '4',
        folder: '5',
        'named pipe': '6',
        'contiguous file': '7',
      })
        .concat(Object.entries({ 'sparse file': 'S', 'volume header': 'V', 'multi-volume file': 'M', 'thing of no type': '?' }))
        .flatMap(([word, type]) => [
          [`a ${word} in place of a file`, of('type_refused', () => told(rawHeader({ type, link: passwd }), partB, partC))],
          [`a ${word} at the end`, of('type_refused', () => told(...parts, rawHeader({ name: 'd', type, link: passwd })))],
        ]),
    ),
    'a hard link to a file of it': of('type_refused', () => told(partA, rawHeader({ name: 'b', type: '1', link: 'a' }), partC)),
    'an extended header with another path': of('type_refused', () => told(pax(record('path', passwd)), ...parts)),
    'an extended header with another size': of('type_refused', () => told(pax(record('size', '999999')), ...parts)),
    'an extended header with another link': of('type_refused', () => told(partA, partB, pax(record('linkpath', outside)), partC)),
    'an extended header of a sparse file': of('type_refused', () => told(pax(record('GNU.sparse.name', passwd)), ...parts)),
    'an extended header for all': of('type_refused', () => told(pax(record('path', passwd), 'g'), ...parts)),
    'a long name of GNU': of('type_refused', () => told(rawFile('././@LongLink', `${passwd}\0`, { type: 'L' }), ...parts)),
    'a long link of GNU': of('type_refused', () =>
      told(partA, partB, rawFile('././@LongLink', `${passwd}\0`, { type: 'K' }), partC),
    ),
    'an extended header that says otherwise': of('entry_mismatch', () =>
      bundleOf(manifestOf([{ path: 'ä', content: 'x' }]), [pax(record('path', 'ö')), rawFile('PaxHeader', 'x')]),
    ),
    'a header with a wrong sum': of('bundle_unreadable', () => told(rawFile('a', 'first', { sum: 1 }), partB, partC)),
    'no end': of('bundle_unreadable', () => bundleOf(manifestOf([a, b, c]), parts, Buffer.alloc(0))),
    'half an end': of('bundle_unreadable', () => bundleOf(manifestOf([a, b, c]), parts, Buffer.alloc(512))),
    'an end with something in it': of('bundle_unreadable', () =>
      bundleOf(manifestOf([a, b, c]), parts, padded(`${'\0'.repeat(600)}x`)),
    ),
    'a longer end': of('entry_unexpected', () => bundleOf(manifestOf([a, b, c]), parts, Buffer.alloc(10_240))),
    'another archive behind it': of('entry_unexpected', () => behind(told(...parts), told(...parts).bytes)),
    'zeros behind it': of('entry_unexpected', () => behind(told(...parts), Buffer.alloc(4096))),
    'something behind it': of('bundle_unreadable', () => behind(told(...parts), Buffer.from('something'))),
    'a bomb behind it': of('entry_unexpected', () => behind(told(...parts), bomb())),
    'a bomb': of('manifest_missing', () => ({ digest: sha256(''), bytes: bomb() })),
    'a bomb in a file': of('entry_missing', () => behind(bundleOf(manifestOf([a, b, c]), [partA], Buffer.alloc(0)), bomb())),
    'a bomb of a file': of('entry_mismatch', () =>
      behind(
        bundleOf(
          manifestText([{ path: 'a', executable: false, size: 100_000, sha256: sha256('') }]),
          [rawHeader({ size: 100_000 })],
          Buffer.alloc(0),
        ),
        bomb(),
      ),
    ),
    'no compressed file': of('bundle_unreadable', () => ({ digest: sha256(''), bytes: Buffer.from('no gzip at all') })),
    'an empty file': of('bundle_unreadable', () => ({ digest: sha256(''), bytes: Buffer.alloc(0) })),
    'a workload that is no text': of('workload_unreadable', () =>
      bundleOf(
        manifestText([
          {
            path: 'workloads/a.yaml',
            executable: false,
            size: 1,
            sha256: createHash('sha256')
              .update(Buffer.from([0xff]))
              .digest('hex'),
          },
        ]),
        [rawHeader({ name: 'workloads/a.yaml', size: 1 }), padded(Buffer.from([0xff]))],
      ),
    ),
    'workloads that are no folder': of('type_refused', () => said({ path: 'workloads', content: 'x' })),
    'a workload that leads nowhere': of('workload_unreadable', () => said({ path: 'workloads/a.yaml', link: '../a.yaml' })),
    'folders of workloads without end': of('workload_unreadable', () => said(...doublingLinks())),
  }
}

const raw = (...blocks: Buffer[]): Hostile => ({ digest: sha256(''), bytes: gzipSync(Buffer.concat(blocks)) })

/** A few thousand paths imply a million folders. */
const deepPaths = (): Content[] =>
  Array.from({ length: 4000 }, (_, i) => ({ path: `${1000 + i}/${'x/'.repeat(200)}x`, link: 'y' }))

/** Each folder has two links to the next: to look through all of them takes for ever. */
const doublingLinks = (): Content[] =>
  Array.from({ length: 30 }, (_, i) => i + 10).flatMap((i) => [
    { path: `workloads/${i}/x`, link: `../${i + 1}` },
    { path: `workloads/${i}/y`, link: `../${i + 1}` },
  ])
