import type { Log } from '../../base/log.ts'
import type { DesiredRelease } from '../../schemas/desired.ts'
import type { Bundles } from './bundles.ts'
import type { ReleaseFolders } from './release-folders.ts'

export interface BringingDeps {
  folders: ReleaseFolders
  bundles: Bundles
  /** Which folders were found whole since the machine was started. */
  whole: { has(digest: string): boolean; add(digest: string): void; drop(digest: string): void }
  log: Log
}

export interface BringingWatcher {
  downloading(bytes: number): void
  unpacking(): void
}

/** `isNew`: its folder was made just now, whatever ran in one of that name. */
export type Obtained = { ok: true; folder: string; isNew: boolean } | { ok: false; reason: string }

/** Sees to it that a release lies on this disk, whole: what is there is used, what is not is brought and unpacked. */
export const createBringing = ({ folders, bundles, whole, log }: BringingDeps) => {
  const turns = new Map<string, Promise<unknown>>()
  /** Two may want the same. */
  const inTurn = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const turn = (turns.get(key) ?? Promise.resolve()).then(work, work)
    turns.set(key, turn)
    const done = (): void => {
      if (turns.get(key) === turn) turns.delete(key)
    }
    turn.then(done, done)
    return turn
  }

  /** The folder of a digest, if it is there; after the machine was started anew it is looked at first. */
  const known = async (digest: string): Promise<Obtained> => {
    if (!folders.isThere(digest)) return { ok: false, reason: 'it is not on this device any more' }
    const there = { ok: true, folder: folders.folderOf(digest), isNew: false } as const
    if (whole.has(digest)) return there
    const fault = await folders.fault(digest)
    if (fault !== undefined) return { ok: false, reason: `what was unpacked of it is damaged: ${fault}` }
    whole.add(digest)
    return there
  }

  const bring = async ({ digest, bundle }: DesiredRelease, signal: AbortSignal, watcher: BringingWatcher): Promise<Obtained> => {
    const there = await known(digest)
    if (there.ok || signal.aborted) return there
    if (folders.isThere(digest)) {
      log.warn({ digest, reason: there.reason }, 'a release is brought anew')
      whole.drop(digest)
      void folders.discard(digest)
    }
    folders.prepare()
    watcher.downloading(0)
    const brought = await bundles.bring(bundle, signal, watcher.downloading)
    if (!brought.ok || signal.aborted) return brought.ok ? { ok: false, reason: 'it is not wanted any more' } : brought
    watcher.unpacking()
    const why = await folders.unpack(brought.file, digest, signal)
    bundles.discard(bundle.sha256)
    if (why !== undefined) return { ok: false, reason: `its bundle cannot be unpacked: ${why}` }
    whole.add(digest)
    return { ok: true, folder: folders.folderOf(digest), isNew: true }
  }

  return {
    known: (digest: string): Promise<Obtained> => inTurn(digest, () => known(digest)),
    obtain: (release: DesiredRelease, signal: AbortSignal, watcher: BringingWatcher): Promise<Obtained> =>
      inTurn(release.digest, () => inTurn(`bundle ${release.bundle.sha256}`, () => bring(release, signal, watcher))),
  }
}
export type Bringing = ReturnType<typeof createBringing>
