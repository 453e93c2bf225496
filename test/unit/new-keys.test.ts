import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { jwkOf, newPrivateKey } from '../../base/p256.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('newPrivateKey()', () => {
  test('makes keys of P-256, another one each time', () => {
    const [one, two] = [jwkOf(newPrivateKey()), jwkOf(newPrivateKey())]
    expect(one).toMatchObject({ kty: 'EC', crv: 'P-256' })
    expect(one.x).not.toBe(two.x)
  })

  // What came from the generator directly hung within a few hundred.
  test('its keys can be exported while garbage is collected, thousands of them', async () => {
    const contents = `
      import { jwkOf, newPrivateKey } from './base/p256.ts'
      import { parentPort } from 'node:worker_threads'
      const junk = []
      for (let n = 0; n < 2000; n++) {
        const key = newPrivateKey()
        key.export({ format: 'jwk' })
        jwkOf(key)
        for (let i = 0; i < 200; i++) junk[i % 50] = { a: [i, n, 'x' + i] }
      }
      parentPort.postMessage('all of them')`
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: root, loader: 'ts' },
      ...{ bundle: true, write: false, platform: 'node', format: 'cjs', logLevel: 'silent' },
    })
    const worker = new Worker(outputFiles[0]?.text ?? '', { eval: true, resourceLimits: { maxYoungGenerationSizeMb: 1 } })
    const said = await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    expect(said).toBe('all of them')
    await worker.terminate()
  }, 60_000)

  test('nothing else of ours takes keys from the generator', () => {
    const folders = ['schemas', 'base', 'broker', 'controller', 'device', 'dashboard/server', 'up', 'bench']
    const users = folders.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts') && readFileSync(join(root, folder, name), 'utf8').includes('generateKeyPair'))
        .map((name) => join(folder, name)),
    )
    expect(users).toEqual(['base/p256.ts'])
  })
})
