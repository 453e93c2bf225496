import { rmSync, statSync } from 'node:fs'
import type { Log } from '../../base/log.ts'
import type { Bundle } from '../../schemas/release.ts'
import { fetchFromUrl } from './bundle-url.ts'
import { openPart } from './part-file.ts'
import type { Pulling } from './pulling.ts'

export interface BundlesDeps {
  /** Where what has come of a bundle lies. */
  partOf: (sha256: string) => string
  /** Why there is no room for so many bytes; undefined if there is. */
  lacksRoom: (bytes: number) => string | undefined
  pulling: Pulling
  log: Log
}

export type Brought = { ok: true; file: string } | { ok: false; reason: string }

/** How often what was damaged on its way is brought anew. */
const mostAgain = 3

/** Brings bundles to this device, whole and as they are to be; a part that is here already is not brought again. */
export const createBundles = ({ partOf, lacksRoom, pulling, log }: BundlesDeps) => {
  /** Gives how far it came, which is to be ignored when it is not wanted any more. */
  const bringOnce = async (
    { sha256, size, url }: Bundle,
    mayUseUrl: boolean,
    signal: AbortSignal,
    progressed: (bytes: number) => void,
  ): Promise<boolean> => {
    const part = await openPart(partOf(sha256), size)
    const tell = (): void => progressed(part.at())
    try {
      tell()
      if (url !== undefined && mayUseUrl && part.at() < size) {
        const why = await fetchFromUrl({ url, size, part, signal, progressed: tell })
        if (why !== undefined)
          log.warn({ url, reason: why }, 'cannot bring a bundle from its address; the controller is asked for it')
      }
      if (!signal.aborted) await pulling.pull(sha256, size, part, signal, tell)
      return signal.aborted || (part.at() === size && part.digest() === sha256)
    } finally {
      part.close()
    }
  }

  return {
    /** One at a time for each bundle. */
    bring: async (bundle: Bundle, signal: AbortSignal, progressed: (bytes: number) => void): Promise<Brought> => {
      const file = partOf(bundle.sha256)
      const known = statSync(file, { throwIfNoEntry: false })?.size ?? 0
      const lack = lacksRoom(Math.max(0, bundle.size - known) + bundle.unpacked_bytes)
      if (lack !== undefined) return { ok: false, reason: lack }
      for (let again = 0; again <= mostAgain; again++) {
        // What came damaged from there may be damaged there.
        if (await bringOnce(bundle, again === 0, signal, progressed)) return { ok: true, file }
        log.warn({ bundle: bundle.sha256 }, 'a bundle is not what its name says; it is thrown away')
        rmSync(file, { force: true })
      }
      return { ok: false, reason: 'bundle damaged in transit' }
    },
    discard: (sha256: string): void => rmSync(partOf(sha256), { force: true }),
  }
}
export type Bundles = ReturnType<typeof createBundles>
