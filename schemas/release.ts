import { z } from 'zod'
import { Instant, idPattern } from './ids.ts'
import { Jws } from './keys.ts'
import { WorkloadName } from './workload.ts'

export const ReleaseName = z.string().regex(idPattern, "a release's name is 1 to 63 of a-z, 0-9 and -, and does not start with -")

export const ReleaseVersion = z
  .string()
  .regex(
    /^[0-9A-Za-z][0-9A-Za-z.+_-]{0,62}$/,
    'a version is 1 to 63 of letters, digits, . + _ and -, and starts with a letter or a digit',
  )

/** `name@version`, as people write it. */
export const readReleaseRef = (text: string): { name: string; version: string } | undefined => {
  const [name = '', version = '', ...rest] = text.split('@')
  return rest.length === 0 && ReleaseName.safeParse(name).success && ReleaseVersion.safeParse(version).success
    ? { name, version }
    : undefined
}
export const ReleaseRef = z
  .string()
  .refine((text) => readReleaseRef(text) !== undefined, 'must be name@version, as in sensors@1.4.0')

/** SHA-256 in hex: how what is large is named. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits, in lower case')

/** What a release may be. A device refuses what goes beyond as the controller does. */
export const releaseBounds = {
  files: 20_000,
  pathBytes: 512,
  manifestBytes: 4 * 1024 * 1024,
  bundleBytes: 1024 ** 3,
  unpackedBytes: 4 * 1024 ** 3,
} as const

/** Why a path cannot be one of a release; undefined if it can. It is relative, and made of names only. */
export const faultOfPath = (path: string): string | undefined => {
  if (path === '') return 'is empty'
  if (new TextEncoder().encode(path).length > releaseBounds.pathBytes) return `is longer than ${releaseBounds.pathBytes} bytes`
  if (path.startsWith('/')) return 'is absolute'
  if (/[\0\n\r\\]/.test(path)) return 'has a character in it that no path of a release may have'
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return 'leaves its folder, or is not written plainly'
  return undefined
}
const ReleasePath = z.string().superRefine((path, context) => {
  const fault = faultOfPath(path)
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `${JSON.stringify(path.slice(0, 100))} ${fault}` })
})

/** One file of a release, or a link within it. */
export const ReleaseEntry = z.union([
  z.strictObject({
    path: ReleasePath,
    /** Whether it can be executed: what counts of its mode. */
    executable: z.boolean(),
    size: z.number().int().nonnegative(),
    sha256: Sha256,
  }),
  /** Where it points to, from the folder that it is in, and never out of the release. */
  z.strictObject({ path: ReleasePath, link: z.string().min(1).max(releaseBounds.pathBytes) }),
])
export type ReleaseEntry = z.infer<typeof ReleaseEntry>

/** What is in a release, by path. Its bytes are the first entry of the bundle, and their SHA-256 is the digest of the release. */
export const ReleaseManifest = z.strictObject({ entries: z.array(ReleaseEntry).min(1).max(releaseBounds.files) })
export type ReleaseManifest = z.infer<typeof ReleaseManifest>

/** The file in which a release travels: a compressed tar, the same bytes for all devices. */
export const Bundle = z.looseObject({
  sha256: Sha256,
  size: z.number().int().positive().max(releaseBounds.bundleBytes),
  /** What all files take when it is unpacked. */
  unpacked_bytes: z.number().int().nonnegative().max(releaseBounds.unpackedBytes),
  /** Where else it can be had: the digest is what counts. */
  url: z.url({ protocol: /^https?$/ }).optional(),
})
export type Bundle = z.infer<typeof Bundle>

/** What the controller signs of a release. */
export const ReleaseStatement = z.looseObject({ name: ReleaseName, version: ReleaseVersion, digest: Sha256, bundle: Bundle })
export type ReleaseStatement = z.infer<typeof ReleaseStatement>

/** A release as it is shown. */
export const Release = ReleaseStatement.extend({
  workloads: z.array(WorkloadName),
  files: z.number().int(),
  created_at: Instant,
  created_by: z.string(),
  /** The statement, signed by the controller. */
  signature: Jws.optional(),
  /** How many devices are to run it. */
  devices: z.number().int(),
})
export type Release = z.infer<typeof Release>
