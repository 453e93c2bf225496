// Makes a clone ready to run: installs the packages and builds, each only when it is missing or out of date. Built-ins only.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const sources = ['schemas', 'base', 'broker', 'controller', 'device', 'dashboard', 'up', 'scripts/build.mjs', 'package.json']

const timeOf = (path) => (existsSync(join(root, path)) ? statSync(join(root, path)).mtimeMs : undefined)

const newestIn = (path) => {
  const full = join(root, path)
  if (!existsSync(full)) return 0
  const found = statSync(full)
  if (!found.isDirectory()) return found.mtimeMs
  // A folder's own time changes when a file in it goes.
  return Math.max(found.mtimeMs, ...readdirSync(full).map((name) => newestIn(join(path, name))))
}

const run = (what, command, args) => {
  console.log(`ready: ${what}`)
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) console.error(`ready: cannot run ${command}: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

const installed = timeOf('node_modules/.package-lock.json')
if (installed === undefined || installed < (timeOf('package-lock.json') ?? 0)) {
  const npm = process.env.npm_execpath
  const why = installed === undefined ? 'there are no packages yet' : 'package-lock.json has changed'
  // A native addon is compiled here: the first time takes a minute or two.
  if (npm) run(`npm ci (${why}; this can take two minutes)`, process.execPath, [npm, 'ci', '--include=dev'])
  else run(`npm ci (${why}; this can take two minutes)`, 'npm', ['ci', '--include=dev'])
}

const built = timeOf('dist/.built')
if (built === undefined || built < Math.max(...sources.map(newestIn))) {
  run(built === undefined ? 'building' : 'building again, sources have changed', process.execPath, ['scripts/build.mjs'])
}
