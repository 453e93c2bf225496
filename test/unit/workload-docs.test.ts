import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { loadPlugins } from '../../base/plugins/load.ts'
import { listWorkloadFiles } from '../../base/workload-files/list.ts'
import { readWorkloadFiles } from '../../base/workload-files/read.ts'
import { readWorkload } from '../../schemas/read-workload.ts'
import { Dependency, Health, Restart, Sandbox, WorkloadFile, workloadFields } from '../../schemas/workload.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/workloads.md'), 'utf8')

const plain = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '').trim()

/** The first two columns of the table with this heading below a heading of the page, however wide they are. */
const rowsOf = (heading: string, first = 'field'): string[][] => {
  const text = page.slice(page.indexOf(`\n${heading}\n`)).replace(/^\|.*$/gm, (row) => row.replace(/ +/g, ' '))
  const lines = text.slice(text.indexOf(`\n| ${first} |`) + 1).split('\n')
  const end = lines.findIndex((line) => !line.startsWith('|'))
  return lines.slice(2, end).map((row) => row.split('|').slice(1, 3).map(plain))
}

/** A field with its default, as the page is to have them. */
const expected = (shape: Readonly<Record<string, z.ZodType>>): string[][] =>
  Object.entries(shape).map(([field, schema]) => {
    const { success, data } = schema.safeParse(undefined)
    if (!success) return [field, 'required']
    if (data === undefined) return [field, '–']
    const isOther = typeof data === 'object' && data !== null && Object.keys(data).length > 0
    return [field, isOther ? expect.stringMatching(/below/) : typeof data === 'string' ? data : JSON.stringify(data)]
  })

const shapeIn = (schema: z.ZodType): Record<string, z.ZodType> => {
  const inner = schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional ? schema.unwrap() : schema
  const object = inner instanceof z.ZodUnion ? inner.options.find((one) => one instanceof z.ZodObject) : inner
  if (!(object instanceof z.ZodObject)) throw new Error('it has no fields')
  return object.shape
}

describe('docs/workloads.md has every field with its default', () => {
  test.each([
    ['## Fields', 'field', workloadFields],
    ['### restart', 'field', Restart.shape],
    ['### restart', 'field of crash_loop', shapeIn(Restart.shape.crash_loop)],
    ['### health', 'field', Health.shape],
    ['### health', 'field of log', shapeIn(Health.shape.log)],
    ['### depends_on', 'field', Dependency.shape],
    ['### files', 'field', WorkloadFile.shape],
    ['### sandbox', 'field', Sandbox.shape],
    ['### log', 'field', shapeIn(workloadFields.log)],
  ])('%s, %s', (heading, first, shape) => expect(rowsOf(heading, first)).toEqual(expected(shape)))

  test('its aliases and the defaults of modules hold', () => {
    const base = { name: 'a', type: 'script', run_mode: 'forever' }
    const read = readWorkload({ ...base, module: 'm', timeout: 3, restart_delay: 4 })
    expect(read).toMatchObject({
      ok: true,
      workload: { entry_point: 'run', runtime: 'python', timeout_seconds: 3, restart: { delay_seconds: 4 } },
    })
    for (const [field, alias] of [
      ['timeout_seconds', 'timeout'],
      ['delay_seconds', 'restart_delay'],
    ])
      expect(page).toMatch(new RegExp(`\\| \`${field}\` .*Also .*\`${alias}\``))
  })

  test('its examples are valid, with the plugin that it shows', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-docs-'))
    writeFileSync(join(folder, 'mine.mjs'), /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '')
    const plugins = await loadPlugins(folder)
    rmSync(folder, { recursive: true })
    const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((found) => found[1] ?? '')
    expect(blocks.length).toBeGreaterThan(1)
    for (const text of blocks)
      expect(readWorkloadFiles([{ path: 'x.yaml', text }], { env: {}, device: undefined, plugins: plugins.known })).toMatchObject(
        { ok: true },
      )
  })
})

describe('examples/workloads', () => {
  const folder = join(root, 'examples/workloads')
  const listed = listWorkloadFiles(folder)
  const read = readWorkloadFiles(listed.ok ? listed.files : [], { env: {}, device: undefined })
  const specs = read.ok ? read.workloads.map(({ spec }) => spec) : []

  test('are valid, one of each kind', () => {
    expect([listed.ok, read.ok ? [] : read.faults]).toEqual([true, []])
    const named = Object.fromEntries(specs.map((spec) => [spec.name, spec]))
    expect(named).toMatchObject({
      'hello-agent': { type: 'agent', run_mode: 'schedule', schedule: '*/5 * * * *', timeout_seconds: 300 },
      counter: { type: 'script', run_mode: 'n_times', max_runs: 3 },
      ticker: { type: 'service', run_mode: 'forever', restart: { delay_seconds: 10 } },
      sums: { module: 'sums', entry_point: 'total', params: { unit: 'kWh' } },
      'watch-one-example': { env: { SITE: 'nowhere', FORMAT: '{{ .Name }}' }, tags: ['demo', 'watch'] },
    })
  })

  test('start programs that lie beside them', () => {
    const beside = readdirSync(folder)
    for (const { command, module } of specs) {
      const program = Array.isArray(command) ? command.find((word) => /\.(py|sh)$/.test(word)) : `${module}.py`
      expect(beside).toContain(program)
      expect(dirname(program ?? '')).toBe('.')
    }
  })
})
