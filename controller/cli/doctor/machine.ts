import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { type Check, fail, ok } from './check.ts'

const leastNode = [20, 19] as const
const bundles = ['up', 'hub', 'broker', 'controller', 'dashboard', 'device']

/** Whether the programs can run on this machine. `program` is the file of the CLI itself. */
export const checkMachine = (nodeVersion: string, program: string): Check[] => [
  checkNode(nodeVersion),
  checkBuild(program),
  checkNative(),
]

const checkNode = (version: string): Check => {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  const isNew = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1])
  if (isNew) return ok('node', version)
  return fail('node', `${version} is too old`, `install Node ${leastNode.join('.')} or later`)
}

const checkBuild = (program: string): Check => {
  if (!basename(program).startsWith('skein.')) return ok('build', 'runs from its sources')
  const missing = bundles.filter((one) => !existsSync(join(dirname(program), `${one}.js`)))
  if (missing.length === 0) return ok('build', dirname(program))
  return fail('build', `${dirname(program)} lacks ${missing.join(', ')}`, 'build again: npm ci && npm run build')
}

/** The databases are native code, which a new Node or another machine can make unusable. */
const checkNative = (): Check => {
  try {
    // Required only now and here: a doctor that does not start cannot tell why. The type is what the package says of itself.
    const Database = createRequire(import.meta.url)('better-sqlite3') as typeof import('better-sqlite3')
    const db = new Database(':memory:')
    const row = db.prepare<[], { version: string }>('select sqlite_version() as version').get()
    db.close()
    return ok('native', `better-sqlite3 with SQLite ${row?.version}`)
  } catch (error) {
    return fail('native', `better-sqlite3 does not load: ${String(error)}`, 'install it for this Node: npm ci')
  }
}
