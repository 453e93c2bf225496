import { type ReleaseManifest, releaseBounds } from '../../schemas/release.ts'
import type { Bounds } from './manifest.ts'
import { readBundle, type WorkloadText } from './read-bundle.ts'
import { type Refused, refusedBy } from './refusal.ts'

export interface Checked {
  ok: true
  digest: string
  manifest: ReleaseManifest
  unpackedBytes: number
  /** What a device will read as workloads, in its order. */
  workloadTexts: WorkloadText[]
}

/** Reads a bundle to its end and writes nothing. What it refuses, no device unpacks, and what it takes, every device does. */
export const checkBundle = async (
  file: string,
  bounds: Bounds = releaseBounds,
  signal?: AbortSignal,
): Promise<Checked | Refused> => {
  try {
    const { digest, manifest, unpackedBytes, workloadTexts } = await readBundle(file, bounds, signal, {
      begin: () => undefined,
      file: async (_, pieces) => {
        for await (const _ of pieces); // read for what is checked on the way
      },
    })
    return { ok: true, digest, manifest, unpackedBytes, workloadTexts }
  } catch (error) {
    return refusedBy(error)
  }
}
