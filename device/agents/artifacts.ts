import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Artifact } from '../../schemas/agent.ts'

/** A result has to fit in a message, and to be there soon: so many files are listed, of so many that are looked at, and so much of them is read. */
const mostFiles = 100
const mostEntries = 5000
const mostPathChars = 16 * 1024
const mostBytes = 1024 * 1024 * 1024

export interface Artifacts {
  files: Artifact[]
  /** There is more than is listed. */
  isCut: boolean
}

/** The files that a run has left in a folder, by their paths in it. Links are not followed: they may lead anywhere. */
export const listArtifacts = async (folder: string): Promise<Artifacts> => {
  const files: Artifact[] = []
  const left = { entries: mostEntries, chars: mostPathChars, bytes: mostBytes }
  let isCut = false
  const walk = async (path: string): Promise<void> => {
    for await (const entry of await opendir(join(folder, path))) {
      const inside = path === '' ? entry.name : `${path}/${entry.name}`
      left.entries--
      if (left.entries < 0 || files.length >= mostFiles) {
        isCut = true
        return
      }
      if (entry.isDirectory()) await walk(inside)
      else if (entry.isFile()) await add(inside)
    }
  }
  const add = async (path: string): Promise<void> => {
    const { size } = await stat(join(folder, path))
    if (size > left.bytes || path.length > left.chars) {
      isCut = true
      return
    }
    left.bytes -= size
    left.chars -= path.length
    files.push({ path, size, sha256: await digestOf(join(folder, path), size) })
  }
  await walk('')
  return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), isCut }
}

/** Of as much as there was when it was looked at: somebody may write on. */
const digestOf = async (path: string, size: number): Promise<string> => {
  const hash = createHash('sha256')
  if (size > 0) for await (const part of createReadStream(path, { end: size - 1 })) hash.update(part as Buffer) // a stream without an encoding gives bytes
  return hash.digest('hex')
}
