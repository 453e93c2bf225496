// Builds every program into dist/: one ESM bundle each, so that start-up reads one file.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'dist')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const programs = {
  skein: 'controller/cli/main.ts',
  up: 'up/main.ts',
  hub: 'up/hub.ts',
  broker: 'broker/main.ts',
  controller: 'controller/main.ts',
  dashboard: 'dashboard/main.ts',
  device: 'device/main.ts',
}

const entryPoints = {}
for (const [program, source] of Object.entries(programs)) {
  if (existsSync(join(root, source))) entryPoints[program] = source
  else console.warn(`build: ${source} is missing, dist/${program}.js is left out`)
}

const result = await build({
  absWorkingDir: root,
  entryPoints,
  outdir: 'dist',
  bundle: true,
  write: false,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'linked',
  minify: false,
  // A native addon cannot be bundled; the other two are optional parts of ws that it looks for and does without.
  external: ['better-sqlite3', 'bufferutil', 'utf-8-validate'],
  loader: { '.sql': 'text', '.sh': 'text' },
  define: { SKEIN_VERSION: JSON.stringify(version) },
  // CommonJS packages inside an ES module still ask for require, __filename and __dirname.
  banner: {
    js: [
      "import { createRequire as createRequireForBundle } from 'node:module'",
      "import { fileURLToPath as fileUrlToPathForBundle } from 'node:url'",
      'const require = createRequireForBundle(import.meta.url)',
      'const __filename = fileUrlToPathForBundle(import.meta.url)',
      "const __dirname = fileUrlToPathForBundle(new URL('.', import.meta.url))",
    ].join('\n'),
  },
  logLevel: 'warning',
})

// Each file is written beside its place and renamed: a program that starts meanwhile reads the old bundle or the new one.
mkdirSync(out, { recursive: true })
for (const file of result.outputFiles) {
  const draft = `${file.path}.${process.pid}`
  writeFileSync(draft, file.contents)
  renameSync(draft, file.path)
}
for (const program of Object.keys(programs)) if (!(program in entryPoints)) rmSync(join(out, `${program}.js`), { force: true })
writeFileSync(join(out, '.built'), `${version}\n`)
console.log(`build: ${Object.keys(entryPoints).join(', ')} (${version})`)
