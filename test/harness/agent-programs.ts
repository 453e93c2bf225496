import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from './program.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(root, 'node_modules', '.cache', 'skein-agents')
const packages = [`@aaif/goose-binary-linux-${process.arch}@1.52.0`, '@modelcontextprotocol/server-everything@2026.8.31']

/** Goose and a server of tools, as npm has them: installed into the cache when they are needed first, never into package.json, as one of them is 300 MB. */
const install = (): void => {
  if (existsSync(join(cache, 'node_modules', '.bin', 'mcp-server-everything'))) return
  mkdirSync(cache, { recursive: true })
  writeFileSync(join(cache, 'package.json'), '{"private":true}\n')
  console.warn(`installing ${packages.join(' and ')} for the tests of agents`)
  spawnSync('npm', ['i', '--prefix', cache, '--no-audit', '--no-fund', ...packages], { stdio: 'ignore', timeout: 300_000 })
}

/** The folder that has `goose`, and the program of the server of tools; undefined where they cannot be had. */
export const findAgentPrograms = (): { path: string; server: string } | undefined => {
  install()
  const path = join(cache, 'node_modules', '@aaif', `goose-binary-linux-${process.arch}`, 'bin')
  const goose = findProgram([join(path, 'goose')], 'goose (npm cannot bring it)')
  const server = join(cache, 'node_modules', '@modelcontextprotocol', 'server-everything', 'dist', 'index.js')
  return goose === undefined ? undefined : { path, server }
}

/** The model server of the examples, with a script of a test or its own. */
export const startModel = async (folder?: string, script?: Readonly<Record<string, readonly unknown[]>>) => {
  const file = folder === undefined ? undefined : join(folder, 'script.json')
  const record = join(folder ?? '', 'asked.jsonl')
  if (file !== undefined) writeFileSync(file, JSON.stringify(script))
  const program = join(root, 'examples', 'agents', 'stand-in-model.mjs')
  const child: ChildProcess = spawn(
    process.execPath,
    [program, '--port', '0', ...(file === undefined ? [] : ['--script', file, '--record', record])],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error('The model server has ended')))
    child.stdout?.once('data', (text: Buffer) => resolve(/http:\S+/.exec(text.toString())?.[0] ?? ''))
  })
  return {
    url,
    /** What an agent needs to reach it. */
    env: { OPENAI_HOST: url, OPENAI_API_KEY: 'no-key-is-needed' },
    /** What agents have asked it, each question as it came. */
    asked: (): string[] => (existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : []),
    close: (): void => void child.kill(),
  }
}
export type Model = Awaited<ReturnType<typeof startModel>>

/** The processes that have this in their environment. */
export const processesWith = (marker: string): number[] => {
  const found = execFileSync('sh', ['-c', `grep -ls -- "$0" /proc/[0-9]*/environ || true`, marker], { encoding: 'utf8' })
  return found.split('\n').flatMap((path) => (path === '' ? [] : [Number(path.split('/')[2])]))
}
