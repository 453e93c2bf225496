import { z } from 'zod'
import { number, type Operation, page } from './operation.ts'
import { Bundle, Release, ReleaseName, ReleaseVersion, releaseBounds, Sha256 } from './release.ts'

/** How many bytes of a blob go up in one request: as base64 it still fits into a message. */
export const putPieceBytes = 72 * 1024

const byVersion = z.strictObject({ name: ReleaseName, version: ReleaseVersion })

/** What can be asked about releases. */
export const releaseOperations = {
  'blob.put': {
    summary: 'Bring a part of a bundle, in order; the answer says from where to go on, so that it can be resumed',
    role: 'operator',
    http: { method: 'put', path: '/blobs/{sha256}', status: 200 },
    input: z.strictObject({
      sha256: Sha256,
      size: z.number().int().positive().max(releaseBounds.bundleBytes),
      offset: z.number().int().nonnegative(),
      /** The bytes in base64; without them it is only asked how far it is. */
      data: z
        .base64()
        .max(Math.ceil(putPieceBytes / 3) * 4)
        .optional(),
    }),
    output: z.looseObject({ sha256: Sha256, offset: z.number().int(), complete: z.boolean() }),
  },
  'release.create': {
    summary: 'Make a release of a bundle that has been brought: it is read, checked, and signed',
    role: 'operator',
    http: { method: 'post', path: '/releases', status: 201 },
    input: byVersion.extend({
      bundle: Bundle.pick({ sha256: true, size: true }).extend({
        /** Where devices are to get it, instead of from the controller. */
        url: z.url({ protocol: /^https?$/ }).optional(),
      }),
    }),
    output: Release,
  },
  'release.list': {
    summary: 'List releases, newest first',
    role: 'viewer',
    http: { method: 'get', path: '/releases', status: 200 },
    input: z.strictObject({ ...page, name: ReleaseName.optional() }),
    output: z.looseObject({ releases: z.array(Release), cursor: z.string().nullable() }),
  },
  'release.get': {
    summary: 'Show a release',
    role: 'viewer',
    http: { method: 'get', path: '/releases/{name}/{version}', status: 200 },
    input: byVersion,
    output: Release,
  },
  'release.delete': {
    summary: 'Remove a release that no device runs or may go back to',
    role: 'admin',
    http: { method: 'delete', path: '/releases/{name}/{version}', status: 200 },
    input: byVersion,
    output: z.looseObject({ name: ReleaseName, version: ReleaseVersion, deleted: z.boolean() }),
  },
  'release.prune': {
    summary: 'Remove releases that nothing needs any more: those beyond the newest of each name, and what was never finished',
    role: 'admin',
    http: { method: 'post', path: '/releases/prune', status: 200 },
    input: z.strictObject({
      keep: number(z.number().int().min(0).max(1000)).default(10),
      dry_run: z.boolean().default(false),
    }),
    output: z.looseObject({ removed: z.array(z.string()), freed_bytes: z.number().int(), dry_run: z.boolean() }),
  },
} as const satisfies Record<string, Operation>
