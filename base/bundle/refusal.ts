/** Why a bundle, or a folder that is to become one, is refused. They never change their meaning. */
export type BundleCode =
  | 'bundle_unreadable'
  | 'bundle_too_large'
  | 'manifest_missing'
  | 'manifest_invalid'
  | 'digest_mismatch'
  | 'entry_unexpected'
  | 'entry_missing'
  | 'entry_mismatch'
  | 'path_refused'
  | 'link_refused'
  | 'type_refused'
  | 'mode_refused'
  /** A file of workloads that no device could read. */
  | 'workload_unreadable'
  /** While packing only: a file that cannot be read here, or `.skeinignore` is not understood. */
  | 'file_unreadable'
  | 'ignore_invalid'

export interface Refused {
  ok: false
  code: BundleCode
  message: string
}

/** What is wrong at a path of a folder. */
export interface PathFault {
  path: string
  code: BundleCode
  message: string
}

/** How a refusal gets out of the midst of a stream; the doors of this folder give it back as a value. */
export class Refusal extends Error {
  readonly code: BundleCode
  /** For whoever tells the path beside the message; that of the whole is `.`. */
  readonly fault: PathFault
  constructor(code: BundleCode, why: string, path?: string) {
    super(path === undefined ? why : `${shown(path)} ${why}`)
    this.code = code
    this.fault = { path: path ?? '.', code, message: why }
  }
}

/** The refusal as a value; anything else that was thrown goes on. */
export const refusedBy = (error: unknown): Refused => {
  if (!(error instanceof Refusal)) throw error
  return { ok: false, code: error.code, message: error.message }
}

/** A path as messages show it: it may be anything that somebody has written into an archive. */
export const shown = (path: string): string => JSON.stringify(path.length > 100 ? `${path.slice(0, 99)}…` : path)

/** Why the system could not do something, in words. */
export const reasonOf = (error: unknown): string => {
  const code = codeOf(error)
  if (code === 'ENOENT') return 'no such file or folder'
  if (code === 'ENOTDIR') return 'it is no folder'
  if (code === 'EACCES') return 'permission denied'
  return error instanceof Error ? error.message : String(error)
}

/** The code of an error of the system. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
