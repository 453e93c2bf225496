import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collect, plainEnv } from '../harness/installation.ts'
import { bombs } from '../unit/yaml-bombs.ts'

const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))
const good = 'name: a\ntype: script\nrun_mode: forever\ncommand: "true"\n'

describe('skein validate', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'skein-validate-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const put = (path: string, text: string): string => {
    writeFileSync(join(folder, path), text)
    return join(folder, path)
  }
  const validate = (...args: string[]) =>
    collect(
      '/bin/sh',
      ['-c', 'cd "$1"; shift; exec "$@"', 'sh', folder, process.execPath, skein, 'validate', ...args],
      plainEnv(),
    )
  /** The least of three, in milliseconds. */
  const timed = async (file: string, code: number): Promise<number> => {
    const times: number[] = []
    for (let i = 0; i < 3; i++) {
      const from = performance.now()
      expect((await validate(file)).code).toBe(code)
      times.push(performance.now() - from)
    }
    return Math.min(...times)
  }

  test('looks into workloads/, or else into the folder that it is in', async () => {
    put('a.yaml', good)
    expect((await validate()).stdout).toMatch(/^1 workload, nothing wrong\n.*\na .* a\.yaml\n$/)
    mkdirSync(join(folder, 'workloads'))
    put('workloads/b.yaml', good.replace('name: a', 'name: b'))
    expect((await validate()).stdout).toMatch(/^1 workload, nothing wrong\n.*\nb .* workloads\/b\.yaml\n$/)
  })

  test.each(['200,000 keys', '60,000 keys', 'billion laughs', 'billion laughs by merges', 'template: loops of nothing'])(
    'refuses the bomb "%s" in at most 200 ms more than it takes for a good file',
    async (name) => {
      const usual = await timed(put('good.yaml', good), 0)
      expect((await timed(put('bomb.yaml', bombs[name] ?? ''), 1)) - usual).toBeLessThan(200)
    },
  )
})
