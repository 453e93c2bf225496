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
  test('looks into workloads/, or else into the folder that it is in', async () => {
    put('a.yaml', good)
    expect((await validate()).stdout).toMatch(/^1 workload, nothing wrong\n.*\na .* a\.yaml\n$/)
    mkdirSync(join(folder, 'workloads'))
    put('workloads/b.yaml', good.replace('name: a', 'name: b'))
    expect((await validate()).stdout).toMatch(/^1 workload, nothing wrong\n.*\nb .* workloads\/b\.yaml\n$/)
  })

  test.each(['200,000 keys', '60,000 keys', 'billion laughs', 'template: loops of nothing'])(
    'refuses the bomb "%s"',
    async (name) => {
      const { code, stderr } = await validate(put('bomb.yaml', bombs[name] ?? ''))
      expect([code, stderr.split('\n')[0]]).toEqual([1, expect.stringMatching(/bomb\.yaml/)])
    },
  )
})
