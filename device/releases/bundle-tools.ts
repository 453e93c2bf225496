import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BundleTools } from './release-folders.ts'

/** The tools for bundles: a device without releases does not load them. */
export const loadBundleTools = async (): Promise<BundleTools> => {
  const [{ unpackBundle }, { verifyFolder }, { readManifest }, { manifestName }] = await Promise.all([
    import('../../base/bundle/unpack.ts'),
    import('../../base/bundle/verify.ts'),
    import('../../base/bundle/manifest.ts'),
    import('../../base/bundle/names.ts'),
  ])
  return {
    unpack: unpackBundle,
    verify: async (folder, digest) => {
      const bytes = await readFile(join(folder, manifestName)).catch(() => undefined)
      const manifest = bytes && (await readManifest(bytes))
      if (!manifest?.ok || manifest.digest !== digest) return 'its manifest is not there, or is another'
      // What workloads have put beside it does no harm.
      return verifyFolder(folder, manifest.manifest, { ignoresStrays: true })
    },
  }
}
