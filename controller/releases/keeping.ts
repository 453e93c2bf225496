import type { DesiredEntry } from '../store/desired.ts'
import { bundleOf, type ReleaseRow } from '../store/releases.ts'
import type { Store } from '../store/store.ts'
import type { Blobs } from './blobs.ts'

/** So many of each name stay though nobody needs them. */
export const keptOfEachName = 10
/** What was brought and never made into a release is let go after so long. */
const unfinishedMs = 24 * 3600_000

/** Which releases somebody may still need, as `name@version`: devices run them, or may go back to them, or are about to get them. */
export const neededReleases = (store: Store): Map<string, number> => {
  const needed = new Map<string, number>()
  const need = ({ name, version }: Pick<DesiredEntry, 'name' | 'version'>, by = 0): void => {
    const ref = `${name}@${version}`
    needed.set(ref, (needed.get(ref) ?? 0) + by)
  }
  for (const { entry } of store.desired.all()) need(entry, 1)
  for (const text of store.deployments.previous()) need(JSON.parse(text) as DesiredEntry) // stored from an entry
  for (const row of store.deployments.alive()) need(row)
  return needed
}

/** What can go: of each name all but the newest, unless somebody needs them; and bundles of no release. Inside a transaction. */
export const prune = (
  { store, blobs, now }: { store: Store; blobs: Blobs; now: number },
  keep: number,
  isDry: boolean,
): { removed: string[]; freed_bytes: number } => {
  const needed = neededReleases(store)
  const counts = new Map<string, number>()
  const staying = new Set<string>()
  const going: ReleaseRow[] = []
  for (const row of store.releases.all()) {
    const count = (counts.get(row.name) ?? 0) + 1
    counts.set(row.name, count)
    if (count <= keep || needed.has(`${row.name}@${row.version}`)) staying.add(bundleOf(row).sha256)
    else going.push(row)
  }
  const leaving = new Set(going.map((row) => bundleOf(row).sha256))
  const files = blobs
    .list()
    .filter(({ sha256, changedAt }) => !staying.has(sha256) && (leaving.has(sha256) || now - changedAt > unfinishedMs))
  if (!isDry) {
    for (const row of going) store.releases.remove(row.name, row.version)
    for (const { sha256 } of files) blobs.remove(sha256)
  }
  return {
    removed: going.map((row) => `${row.name}@${row.version}`),
    freed_bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
