import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The kernel takes 107 bytes for the path of a Unix socket, and Node cuts a longer one without a word. */
const longestPath = 107

/** Where the socket really is: at its own path, or, if that is too long, at one that both sides can work out. */
export const socketPathOf = (wanted: string): string =>
  Buffer.byteLength(wanted) <= longestPath
    ? wanted
    : join(tmpdir(), `skein-${createHash('sha256').update(wanted).digest('hex').slice(0, 24)}.sock`)
