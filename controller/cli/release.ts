import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packFolder } from '../../base/bundle/pack.ts'
import type { Release } from '../../schemas/release.ts'
import { readReleaseRef } from '../../schemas/release.ts'
import { putPieceBytes } from '../../schemas/release-operations.ts'
import { bytesText } from './bytes.ts'
import type { Client } from './client.ts'
import { CliFailure, exitCodes, usageFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { ago, factsOf, tableOf } from './table.ts'
import { askFor, askPages, withClient } from './with-client.ts'

export interface ReleaseFlags extends GlobalFlags {
  name?: string
  version?: string
  url?: string
  bundleUrl?: string
  dryRun?: boolean
  limit?: number
  keep?: number
}

/** So many pieces are on their way at a time; they are put together in order. */
const retriesOfPiece = 5

/** `release create`: packs a folder, brings what the controller lacks of it, and makes it a release. */
export const createRelease = async (io: Io, flags: ReleaseFlags, folder: string): Promise<number> => {
  const { name, version } = flags
  if (name === undefined || version === undefined)
    throw usageFailure('A release needs a name and a version: --name sensors --version 1.4.0')
  const work = mkdtempSync(join(tmpdir(), 'skein-release-'))
  try {
    const file = join(work, 'bundle')
    const packed = await packFolder(folder, file)
    if (!packed.ok) {
      const [first] = packed.faults
      const message = `Cannot make a release of "${folder}": ${first?.path}: ${first?.message}`
      const details = packed.faults.map(({ path, code, message: why }) => ({ field: path, code, message: why }))
      throw new CliFailure(
        exitCodes.failed,
        'invalid',
        packed.faults.length > 1 ? `${message} (and ${packed.faults.length - 1} more)` : message,
        details,
      )
    }
    const { bundle, digest, manifest } = packed
    if (flags.dryRun) {
      const about = { name, version, digest, files: manifest.entries.length, bundle, entries: manifest.entries, dry_run: true }
      if (flags.json) printJson(io, about)
      else {
        for (const entry of manifest.entries)
          io.out(
            `${'link' in entry ? `${entry.path} -> ${entry.link}` : `${entry.executable ? 'x' : '-'} ${String(entry.size).padStart(10)}  ${entry.path}`}\n`,
          )
        io.out(`${manifest.entries.length} files, ${bytesText(bundle.size)} to bring; digest ${digest}; nothing was made\n`)
      }
      return exitCodes.done
    }
    return await withClient(io, flags, async (client) => {
      await bring(client, io, file, bundle)
      const release = await askFor(client, 'release.create', {
        ...{ name, version },
        bundle: { sha256: bundle.sha256, size: bundle.size, ...(flags.bundleUrl === undefined ? {} : { url: flags.bundleUrl }) },
      })
      if (flags.json) printJson(io, release)
      else io.out(`${release.name}@${release.version}  ${release.workloads.join(', ')}  ${release.digest}\n`)
      return exitCodes.done
    })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Brings a bundle, from where an earlier try has come to. */
const bring = async (client: Client, io: Io, file: string, { sha256, size }: { sha256: string; size: number }): Promise<void> => {
  let { offset, complete } = await askFor(client, 'blob.put', { sha256, size, offset: 0 })
  let shownAt = io.clock.mono()
  for (let tries = 0; !complete; ) {
    const before: number = offset
    for await (const piece of createReadStream(file, { start: offset, highWaterMark: putPieceBytes })) {
      const answer = await askFor(client, 'blob.put', { sha256, size, offset, data: Buffer.from(piece).toString('base64') })
      complete = answer.complete
      const isInOrder = answer.offset === offset + piece.length
      offset = answer.offset
      if (io.terminal && io.clock.mono() - shownAt > 250) {
        shownAt = io.clock.mono()
        io.err(`\rbringing it: ${Math.floor((100 * offset) / size)} % of ${bytesText(size)}   `)
      }
      // Somebody else brings the same: it is gone on from where that has come to.
      if (complete || !isInOrder) break
    }
    tries = offset > before ? 0 : tries + 1
    if (tries > retriesOfPiece)
      throw new CliFailure(exitCodes.failed, 'stuck', 'Cannot bring the bundle: the controller takes nothing more of it')
  }
  if (io.terminal) io.err('\r\u001b[K')
}

/** `release list`: newest first. */
export const listReleases = (io: Io, flags: ReleaseFlags): Promise<number> =>
  withClient(io, flags, async (client) => {
    const releases = await askPages(
      flags.limit ?? 50,
      (limit, cursor) =>
        askFor(client, 'release.list', {
          limit,
          ...(cursor ? { cursor } : {}),
          ...(flags.name === undefined ? {} : { name: flags.name }),
        }),
      (page) => page.releases,
    )
    if (flags.json) printJson(io, releases)
    else if (releases.length === 0)
      io.err('skein: there is no release yet; make one with: skein release create FOLDER --name NAME --version VERSION\n')
    else io.out(releasesTable(releases, io, io.clock.now()))
    return exitCodes.done
  })

const releasesTable = (releases: readonly Release[], io: Pick<Io, 'terminal'>, now: number): string =>
  tableOf(
    ['RELEASE', 'DEVICES', 'SIZE', 'FILES', 'CREATED', 'BY', 'WORKLOADS'],
    releases.map((one) => [
      ...[`${one.name}@${one.version}`, String(one.devices), bytesText(one.bundle.size), String(one.files)],
      ...[ago(one.created_at, now), one.created_by, one.workloads.join(' ')],
    ]),
    io.terminal,
  )

/** `release get`. */
export const getRelease = (io: Io, flags: ReleaseFlags, text: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const release = await askFor(client, 'release.get', refOf(text))
    if (flags.json) printJson(io, release)
    else
      io.out(
        factsOf([
          ['release', `${release.name}@${release.version}`],
          ['digest', release.digest],
          ['workloads', release.workloads.join(', ')],
          ['files', release.files],
          [
            'bundle',
            `${release.bundle.sha256}, ${bytesText(release.bundle.size)}, unpacked ${bytesText(release.bundle.unpacked_bytes)}`,
          ],
          ['from', release.bundle.url],
          ['devices', release.devices],
          ['created', release.created_at],
          ['by', release.created_by],
        ]),
      )
    return exitCodes.done
  })

/** `release delete`. */
export const deleteRelease = (io: Io, flags: ReleaseFlags, text: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const gone = await askFor(client, 'release.delete', refOf(text))
    if (flags.json) printJson(io, gone)
    else io.out(`${gone.name}@${gone.version} is removed\n`)
    return exitCodes.done
  })

/** `release prune`: what nobody needs any more. */
export const pruneReleases = (io: Io, flags: ReleaseFlags): Promise<number> =>
  withClient(io, flags, async (client) => {
    const pruned = await askFor(client, 'release.prune', {
      ...(flags.keep === undefined ? {} : { keep: flags.keep }),
      dry_run: flags.dryRun ?? false,
    })
    if (flags.json) printJson(io, pruned)
    else {
      for (const ref of pruned.removed) io.out(`${ref}\n`)
      io.out(
        `${pruned.removed.length} releases, ${bytesText(pruned.freed_bytes)} ${pruned.dry_run ? 'would be' : 'are'} removed\n`,
      )
    }
    return exitCodes.done
  })

/** The two parts of `name@version`, or a fault that says how it is written. */
export const refOf = (text: string): { name: string; version: string } => {
  const ref = readReleaseRef(text)
  if (!ref) throw usageFailure(`"${text}" names no release; write name@version, as in sensors@1.4.0`)
  return ref
}
