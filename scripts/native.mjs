// After npm has installed: looks whether better-sqlite3 was compiled with the hook that object-wrap.h tells of, with which Node 24
// aborts sooner or later, and compiles it again without. The packages that others have compiled are without it. Built-ins only.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const scripts = dirname(fileURLToPath(import.meta.url))
const addon = join(scripts, '..', 'node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node')
const aborts = () => existsSync(addon) && readFileSync(addon).includes('RemoveEnvironmentCleanupHook')

if (aborts()) {
  console.log("native: better-sqlite3 is compiled again: this Node's headers would let it abort (see scripts/object-wrap.h)")
  const env = {
    ...process.env,
    CXXFLAGS: `${process.env.CXXFLAGS ?? ''} -include '${join(scripts, 'object-wrap.h')}'`,
    npm_config_build_from_source: 'true',
  }
  const npm = process.env.npm_execpath
  const [command, args] = npm ? [process.execPath, [npm]] : ['npm', []]
  const { status } = spawnSync(command, [...args, 'rebuild', 'better-sqlite3'], {
    cwd: join(scripts, '..'),
    stdio: 'inherit',
    env,
  })
  if (status !== 0 || aborts()) {
    console.error('native: better-sqlite3 could not be compiled; Skein would abort on this Node')
    process.exit(1)
  }
}
