import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadPlugins } from '../../base/plugins/load.ts'
import type { Plugins } from '../../base/plugins/plugins.ts'
import { typedWork } from '../../device/workloads/typed-work.ts'

let plugins: Plugins
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-examples-'))
  plugins = await loadPlugins(fileURLToPath(new URL('../../examples/plugins', import.meta.url)))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('examples/plugins/container.mjs', () => {
  const context = { name: 'web', device: 'pi-1', labels: {}, folder: '/f' }
  const faults = (params: Record<string, unknown>): string[] =>
    plugins.known.validate?.('container', params).map(({ field }) => field) ?? []

  test('checks its params', () => {
    expect(
      faults({ image: 'docker.io/library/nginx:1.27', ports: ['8080:80', '127.0.0.1:1:2/udp'], args: ['-v'], env: { A: 'b' } }),
    ).toEqual([])
    expect(faults({})).toEqual(['params.image'])
    expect(faults({ image: '--privileged', ports: ['80'], args: 'x', env: { A: 1 }, imgae: 'x' })).toEqual(
      ['image', 'args', 'ports', 'env', 'imgae'].map((field) => `params.${field}`),
    )
  })

  test('makes the words for the engine that is there, with no value of a variable in them', () => {
    const engine = join(folder, 'docker')
    writeFileSync(engine, '#!/bin/sh\n')
    chmodSync(engine, 0o755)
    const path = process.env['PATH']
    try {
      process.env['PATH'] = folder
      const { command, env } = typedWork(
        plugins,
        { type: 'container', params: { image: 'nginx', ports: ['1:2'], args: ['-x'], env: { KEY: 'abc' } } },
        context,
      )
      const words = Array.isArray(command) ? command : []
      expect(words.slice(4)).toEqual([
        ...[engine, 'skein-pi-1-web', 'run', '--rm', '--init', '--name', 'skein-pi-1-web', '--label', 'skein.workload=web'],
        ...['--publish', '1:2', '--env', 'KEY', '--', 'nginx', '-x'],
      ])
      expect(env).toEqual({ KEY: 'abc' })
      process.env['PATH'] = '/nowhere'
      expect(() => typedWork(plugins, { type: 'container', params: { image: 'nginx' } }, context)).toThrow(
        'neither podman nor docker',
      )
    } finally {
      process.env['PATH'] = path
    }
  })
})

test.each([
  ['POST /login?token=abc123&x=1', 'POST /login?token=[hidden]&x=1'],
  ['{"password": "hunter2", "user": "me"}', '{"password": "[hidden]", "user": "me"}'],
  ['Authorization: Bearer abcdefghijkl', 'Authorization: Bearer [hidden]'],
  ['got eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln here', 'got [hidden] here'],
  ['key ghp_abcdefghijklmnop', 'key [hidden]'],
  ['mqtt://me:hunter2@broker:1883', 'mqtt://me:[hidden]@broker:1883'],
  ['nothing to hide, 5 tokens used', 'nothing to hide, 5 tokens used'],
])('examples/plugins/redact.mjs: %s', (line, left) => {
  expect(plugins.logProcessor('redact')?.('w', line, 'o')).toBe(left)
})

test('examples/plugins/freshness.mjs looks at the time of a file', async () => {
  const path = join(folder, 'beat')
  const ask = (params: Record<string, unknown>) =>
    plugins.healthCheck('freshness')?.({ name: 'w', pid: 1, run_id: 'r', started_at: null, params })
  writeFileSync(path, '')
  expect(await ask({ path, within_seconds: 60 })).toMatchObject({ healthy: true })
  utimesSync(path, 1, 1)
  expect(await ask({ path, within_seconds: 60 })).toMatchObject({ healthy: false, details: expect.stringContaining('s ago') })
  await expect(ask({ path: join(folder, 'none') })).rejects.toThrow('ENOENT')
  await expect(ask({})).rejects.toThrow('params.path')
})
