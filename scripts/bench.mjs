// Bundles bench/ into the cache, as Node 20 runs no TypeScript, and runs it: `npm run bench`, or `npm run bench -- dispatch logs`.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'node_modules', '.cache', 'skein-bench')
const programs = readdirSync(join(root, 'bench', 'programs')).filter((name) => name.endsWith('.ts'))

await build({
  absWorkingDir: root,
  entryPoints: ['bench/main.ts', ...programs.map((name) => `bench/programs/${name}`)],
  outdir: out,
  outbase: 'bench',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['better-sqlite3', 'bufferutil', 'utf-8-validate', 'playwright-core'],
  loader: { '.sql': 'text', '.sh': 'text' },
  define: { SKEIN_VERSION: '"bench"' },
  outExtension: { '.js': '.mjs' },
  banner: {
    js: "import { createRequire as createRequireForBundle } from 'node:module'\nconst require = createRequireForBundle(import.meta.url)",
  },
  logLevel: 'warning',
})

const bench = spawn(process.execPath, [join(out, 'main.mjs'), ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
// Ctrl-C reaches the bench itself, which ends what it has started; this process only passes on how it went.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && bench.kill(signal))
bench.once('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
