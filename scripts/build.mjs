// Builds every program into dist/: one bundle each, so that start-up reads one file, and its code as V8 compiles it, so that start-up
// does not even compile. CommonJS, because only that can be run from compiled code.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { build as buildPages } from 'vite'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'dist')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const programs = {
  skein: 'controller/cli/main.ts',
  up: 'up/main.ts',
  hub: 'up/hub.ts',
  broker: 'broker/main.ts',
  controller: 'controller/main.ts',
  // No program: the thread of hub and controller that does their long reads.
  reader: 'controller/reading/worker.ts',
  dashboard: 'dashboard/main.ts',
  device: 'device/main.ts',
}

const entryPoints = {}
for (const [program, source] of Object.entries(programs)) {
  if (existsSync(join(root, source))) entryPoints[program] = source
  else console.warn(`build: ${source} is missing, dist/${program}.js is left out`)
}

/** What no program of ours reaches is left out: messages of zod in other languages than English, MQTT over a SOCKS proxy. */
const withoutBallast = {
  name: 'without-ballast',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ importer }) =>
      importer.includes(join('node_modules', 'zod')) ? { path: importer, namespace: 'zod-locales' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'zod-locales' }, () => ({
      contents: "export { default as en } from 'zod/v4/locales/en.js'",
      resolveDir: root,
    }))
    onResolve({ filter: /^socks$/ }, () => ({ path: 'socks', namespace: 'socks' }))
    onLoad({ filter: /.*/, namespace: 'socks' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** Code that V8 has compiled before cannot import what it does not know: Node does that for a file beside it. */
const withImport = {
  name: 'with-import',
  setup: ({ onResolve }) => onResolve({ filter: /\/import-module\.ts$/ }, () => ({ path: '../bin/import.js', external: true })),
}

const result = await build({
  absWorkingDir: root,
  entryPoints,
  entryNames: '[name].bundle',
  outdir: 'dist',
  bundle: true,
  write: false,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  charset: 'ascii',
  sourcemap: 'linked',
  legalComments: 'none',
  // Lines and names stay, so that a stack trace can be read.
  minifySyntax: true,
  plugins: [withoutBallast, withImport],
  // A native addon cannot be bundled; the other two are optional parts of ws that it looks for and does without.
  external: ['better-sqlite3', 'bufferutil', 'utf-8-validate'],
  loader: { '.sql': 'text', '.sh': 'text' },
  define: { SKEIN_VERSION: JSON.stringify(version), 'import.meta.url': 'bundleUrl' },
  banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href" },
  logLevel: 'warning',
})

// Each file is written beside its place and renamed: a program that starts meanwhile reads the old bundle or the new one.
const put = (path, contents) => {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, contents)
  renameSync(draft, path)
}

/** Lets a program run as far as its help, and keeps what V8 has compiled for that. A worker cannot be run like that. */
const compile = (program) =>
  new Promise((resolve, reject) => {
    const file = join(out, `${program}.bundle.js`)
    const child = spawn(process.execPath, [join(root, 'scripts', 'compile.cjs'), file, '--help'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program} --help ended with ${code}`))))
  })

/** What the browser runs: built beside its place, each file compressed once, and moved there whole. */
const buildWeb = async () => {
  const draft = join(out, `web.${process.pid}`)
  await buildPages({
    root: join(root, 'dashboard', 'web'),
    configFile: false,
    logLevel: 'warn',
    base: '/',
    build: {
      outDir: draft,
      emptyOutDir: true,
      target: 'es2022',
      // Everything is a file of its own: the policy of the pages allows nothing inline.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  })
  for (const name of readdirSync(draft, { recursive: true })) {
    const file = join(draft, String(name))
    if (!/\.(html|js|css|svg)$/.test(file)) continue
    const bytes = readFileSync(file)
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }))
    writeFileSync(`${file}.br`, brotliCompressSync(bytes))
  }
  const place = join(out, 'web')
  const old = `${place}.old.${process.pid}`
  if (existsSync(place)) renameSync(place, old)
  renameSync(draft, place)
  rmSync(old, { recursive: true, force: true })
}

mkdirSync(out, { recursive: true })
await buildWeb()
put(join(out, 'package.json'), '{ "type": "commonjs" }\n')
// What was compiled of the last build does not fit any more: V8 would refuse it.
for (const program of Object.keys(programs)) rmSync(join(out, `${program}.bundle.js.cache`), { force: true })
for (const { path, contents } of result.outputFiles) put(path, contents)
for (const program of Object.keys(entryPoints)) {
  put(join(out, `${program}.js`), `require('../bin/launch.js').launch(require.resolve('./${program}.bundle.js'))\n`)
}
for (const program of Object.keys(programs)) if (!(program in entryPoints)) rmSync(join(out, `${program}.js`), { force: true })
await Promise.all(
  Object.keys(entryPoints)
    .filter((program) => program !== 'reader')
    .map(compile),
)
writeFileSync(join(out, '.built'), `${version}\n`)
console.log(`build: ${Object.keys(entryPoints).join(', ')} (${version})`)
