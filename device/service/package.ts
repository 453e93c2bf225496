import { createHash, randomUUID } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Package } from './plan.ts'

/** What a program needs when it runs: what the Dockerfile takes as well. Sources, maps and the tools of building stay behind. */
const wanted = [
  'LICENSE',
  'package.json',
  'bin',
  'dist',
  ...['better-sqlite3', 'bindings', 'file-uri-to-path'].map((one) => `node_modules/${one}`),
]

const isWanted = (path: string): boolean =>
  !path.endsWith('.map') &&
  !/^node_modules\/better-sqlite3\/(deps|src)(\/|$)/.test(path) &&
  (!path.startsWith('node_modules/better-sqlite3/build/') ||
    path === 'node_modules/better-sqlite3/build/Release' ||
    path.endsWith('/better_sqlite3.node'))

/** Looks at a built package, and names the release that it makes: its version, and what is in it. */
export const readPackage = (folder: string): Package => {
  for (const file of ['bin/skein', 'dist/device.js', 'node_modules/better-sqlite3/build/Release/better_sqlite3.node'])
    if (!existsSync(join(folder, file)))
      throw new Error(`"${folder}" is no built Skein: there is no ${file}; build it with: npm ci && npm run build`)
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string } // our own
  const digest = createHash('sha256')
  for (const file of filesIn(folder))
    digest
      .update(`${file}\0`)
      .update(readFileSync(join(folder, file)))
      .update('\0')
  return { folder, release: `${version}-${digest.digest('hex').slice(0, 12)}` }
}

const filesIn = (folder: string): string[] => {
  const walk = (path: string): string[] => {
    if (!isWanted(path) || !existsSync(join(folder, path))) return []
    if (!statSync(join(folder, path)).isDirectory()) return [path]
    return readdirSync(join(folder, path))
      .sort()
      .flatMap((name) => walk(`${path}/${name}`))
  }
  return wanted.flatMap(walk)
}

/** Copies a package beside its place, and gives it its name when all of it is there. The same release again is no work. */
export const copyPackage = (from: string, to: string): void => {
  if (existsSync(to)) return
  // Everybody may read a program: its daemon may be of another user than whoever has built it, and whoever installs it.
  const mask = process.umask(0o022)
  const draft = join(dirname(to), `.draft-${randomUUID().slice(0, 8)}`)
  try {
    for (const file of filesIn(from)) {
      mkdirSync(dirname(join(draft, file)), { recursive: true })
      copyFileSync(join(from, file), join(draft, file))
      chmodSync(join(draft, file), statSync(join(from, file)).mode & 0o100 ? 0o755 : 0o644)
    }
    renameSync(draft, to)
  } finally {
    rmSync(draft, { recursive: true, force: true })
    process.umask(mask)
  }
}

/** Removes releases that are not to be kept, and drafts of copies that came to nothing. */
export const pruneReleases = (folder: string, keep: readonly string[]): void => {
  const old = existsSync(folder) ? readdirSync(folder).filter((name) => !keep.includes(name)) : []
  for (const name of old) rmSync(join(folder, name), { recursive: true, force: true })
}
