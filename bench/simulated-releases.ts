import { createHash } from 'node:crypto'
import type { Desired } from '../schemas/desired.ts'

export interface SimulatedReleasesOptions {
  fetch: (request: { sha256: string; offset: number; length: number }) => void
  /** All of what it is to run is there: told with the revision. */
  report: (revision: number, releases: unknown[]) => void
}

/** So much is asked for at once, and twice as much is on its way at most. */
const askBytes = 512 * 1024

/** What a device does with a desired document, as far as the wire can tell: it fetches each bundle once, checks it, and says that all is well. */
export const simulateReleases = ({ fetch, report }: SimulatedReleasesOptions) => {
  const held = new Set<string>()
  let desired: Desired | undefined
  let coming: { sha256: string; size: number; bytes: Map<number, Buffer>; got: number; asked: number } | undefined

  const ask = (): void => {
    if (!coming) return
    while (coming.asked < coming.size && coming.asked - coming.got < 2 * askBytes) {
      const length = Math.min(askBytes, coming.size - coming.asked)
      fetch({ sha256: coming.sha256, offset: coming.asked, length })
      coming.asked += length
    }
  }

  const proceed = (): void => {
    if (!desired || coming) return
    const lacking = desired.releases.find(({ bundle }) => !held.has(bundle.sha256))
    if (lacking) {
      coming = { sha256: lacking.bundle.sha256, size: lacking.bundle.size, bytes: new Map(), got: 0, asked: 0 }
      return ask()
    }
    const since = new Date().toISOString()
    const told = desired.releases.map(({ name, version, digest, deployment }) => ({
      ...{ name, active: { version, digest }, wanted: { version, digest, deployment } },
      ...{ state: 'healthy', reason: null, since },
    }))
    report(desired.revision, told)
  }

  return {
    desired: (next: Desired): void => {
      if (desired && next.revision <= desired.revision) return
      desired = next
      proceed()
    },
    piece: (sha256: string, offset: number, bytes: Buffer): void => {
      if (coming?.sha256 !== sha256 || coming.bytes.has(offset)) return
      coming.bytes.set(offset, bytes)
      coming.got += bytes.length
      if (coming.got < coming.size) return ask()
      const hash = createHash('sha256')
      for (const at of [...coming.bytes.keys()].sort((a, b) => a - b)) hash.update(coming.bytes.get(at) ?? '')
      if (hash.digest('hex') !== sha256) throw new Error(`The bundle ${sha256} came damaged`)
      held.add(sha256)
      coming = undefined
      proceed()
    },
  }
}
