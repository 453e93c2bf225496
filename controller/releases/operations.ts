import { checkBundle } from '../../base/bundle/check.ts'
import type { Clock } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import { instant } from '../../schemas/ids.ts'
import type { Release } from '../../schemas/release.ts'
import type { Effects } from '../effects.ts'
import type { Handlers } from '../handlers.ts'
import { badCursor, pageOf, readCursor } from '../paging.ts'
import { bundleOf, type ReleaseRow, workloadsOf } from '../store/releases.ts'
import type { Store } from '../store/store.ts'
import type { Blobs } from './blobs.ts'
import { neededReleases, prune } from './keeping.ts'
import { workloadNames } from './workload-names.ts'

export interface ReleaseOperationsDeps {
  store: Store
  blobs: Blobs
  commits: GroupCommit
  effects: Effects
  clock: Clock
}

/** What people ask about releases: that a bundle is taken in and becomes one, which there are, and that they go. */
export const releaseOperations = ({ store, blobs, commits, effects, clock }: ReleaseOperationsDeps) => {
  const shown = (row: ReleaseRow, needed: ReadonlyMap<string, number>): Release => ({
    ...{ name: row.name, version: row.version, digest: row.digest, bundle: bundleOf(row), workloads: workloadsOf(row) },
    ...{ files: row.files, created_at: instant(row.created_at), created_by: row.created_by },
    devices: needed.get(`${row.name}@${row.version}`) ?? 0,
  })

  const withRelease = (name: string, version: string, use: (row: ReleaseRow) => Outcome<unknown>): Outcome<unknown> => {
    const row = store.releases.get(name, version)
    return row ? use(row) : noRelease(name, version)
  }

  return {
    'blob.put': (_, { sha256, size, offset, data }) =>
      blobs
        .put(sha256, size, offset, data === undefined ? new Uint8Array() : Buffer.from(data, 'base64'))
        .catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error)
          return refused('unavailable', `the bytes cannot be stored: ${why}`)
        }),
    'release.create': async (asker, { name, version, bundle }) => {
      if (!blobs.state(bundle.sha256).complete) {
        const message = 'has not been brought yet: bring it with blob.put'
        return refused('not_found', `bundle: ${message}`, [{ field: 'bundle.sha256', code: 'not_found', message }])
      }
      const checked = await checkBundle(blobs.file(bundle.sha256))
      if (!checked.ok) return refusedBundle(checked.code, checked.message)
      const workloads = workloadNames(checked.workloadTexts)
      if (!workloads.ok)
        return refused(
          'invalid',
          `Cannot make a release: ${workloads.faults[0]?.field}: ${workloads.faults[0]?.message}`,
          workloads.faults,
        )
      if (workloads.names.length === 0) return refusedBundle('no_workloads', 'there is no workload in its folder "workloads"')
      return commits.run((): Outcome<unknown> => {
        const known = store.releases.get(name, version)
        if (known && known.digest !== checked.digest) {
          const message = `there is ${name}@${version} already, and it is another: a version does not change; take the next one`
          return refused('conflict', message, [{ field: 'version', code: 'taken', message }])
        }
        if (!known) {
          store.releases.put({
            ...{ name, version, digest: checked.digest, workloads: JSON.stringify(workloads.names) },
            bundle: JSON.stringify({ ...bundle, unpacked_bytes: checked.unpackedBytes }),
            files: checked.manifest.entries.length,
            ...{ created_at: clock.now(), created_by: asker.subject },
          })
          const about = {
            subject: asker.subject,
            operation: 'release.create',
            release: `${name}@${version}`,
            digest: checked.digest,
          }
          effects.event('audit', 'skein.audit.release_created', asker.subject, about)
        }
        return withRelease(name, version, (row) => accepted(shown(row, neededReleases(store))))
      })
    },
    'release.list': (_, { name, limit, cursor }) => {
      const before = cursor === undefined ? undefined : readCursor(cursor)
      if (before === null) return badCursor
      const needed = neededReleases(store)
      const page = pageOf(
        store.releases.list(name, before, limit + 1),
        limit,
        (row) => shown(row, needed),
        (row) => row.n,
      )
      return accepted({ releases: page.shown, cursor: page.cursor })
    },
    'release.get': (_, { name, version }) => withRelease(name, version, (row) => accepted(shown(row, neededReleases(store)))),
    'release.delete': (asker, { name, version }) =>
      commits.run(() =>
        withRelease(name, version, () => {
          if (neededReleases(store).has(`${name}@${version}`)) {
            const message = `${name}@${version} is needed: devices run it, or may have to go back to it`
            return refused('conflict', message, [{ field: 'version', code: 'in_use', message }])
          }
          store.releases.remove(name, version)
          const about = { subject: asker.subject, operation: 'release.delete', release: `${name}@${version}` }
          effects.event('audit', 'skein.audit.release_deleted', asker.subject, about)
          return accepted({ name, version, deleted: true })
        }),
      ),
    'release.prune': (_, { keep, dry_run }) =>
      commits.run(() => accepted({ ...prune({ store, blobs, now: clock.now() }, keep, dry_run), dry_run })),
  } satisfies Partial<Handlers>
}

export const noRelease = (name: string, version: string) => {
  const message = `there is no release ${name}@${version}`
  return refused('not_found', message, [{ field: 'version', code: 'not_found', message }])
}

const refusedBundle = (code: string, message: string) =>
  refused('invalid', `Cannot make a release of this bundle: ${message}`, [{ field: 'bundle', code, message }])
