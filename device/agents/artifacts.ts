import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Artifact } from '../../schemas/agent.ts'

/** More files than that are not listed: a result has to fit in a message. */
const mostFiles = 100

/** The files that a run has left in a folder, by their paths in it. Links are not followed: they may lead anywhere. */
export const listArtifacts = async (folder: string): Promise<Artifact[]> => {
  const found: Artifact[] = []
  const walk = async (path: string): Promise<void> => {
    for await (const entry of await opendir(join(folder, path))) {
      if (found.length >= mostFiles) return
      const inside = path === '' ? entry.name : `${path}/${entry.name}`
      if (entry.isDirectory()) await walk(inside)
      else if (entry.isFile()) found.push({ path: inside, ...(await digestOf(join(folder, inside))) })
    }
  }
  await walk('')
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

const digestOf = async (path: string): Promise<{ size: number; sha256: string }> => {
  const hash = createHash('sha256')
  let size = 0
  for await (const part of createReadStream(path)) {
    const bytes = part as Buffer // a stream without an encoding gives bytes
    hash.update(bytes)
    size += bytes.length
  }
  return { size, sha256: hash.digest('hex') }
}
