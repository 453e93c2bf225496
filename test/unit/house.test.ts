import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Which of our folders each folder may import, beside itself. Parts meet on the wire, never in code. */
const mayImport: Record<string, readonly string[]> = {
  schemas: [],
  base: ['schemas'],
  broker: ['schemas', 'base'],
  device: ['schemas', 'base'],
  controller: ['schemas', 'base'],
  dashboard: ['schemas', 'base'],
  up: ['schemas', 'base', 'broker', 'device', 'controller', 'dashboard'],
}

const sourcesIn = (folder: string): string[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(ts|tsx|mts)$/.test(name))
        .map((name) => join(folder, name))
    : []

const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g)].map((found) => found[2] ?? '')

describe('the house', () => {
  for (const [folder, allowed] of Object.entries(mayImport)) {
    test(`${folder}/ imports only ${[folder, ...allowed].join(', ')}`, () => {
      const wrong = sourcesIn(folder).flatMap((file) =>
        importsOf(readFileSync(join(root, file), 'utf8'))
          .filter((name) => name.startsWith('.'))
          .map((name) => relative(root, resolve(root, dirname(file), name)))
          .filter((target) => ![folder, ...allowed].includes(target.split('/')[0] ?? ''))
          .map((target) => `${file} imports ${target}`),
      )
      expect(wrong).toEqual([])
    })
  }

  test('of the schemas the browser knows the types only: zod would double what it has to load', () => {
    const values = sourcesIn('dashboard/web').flatMap((file) =>
      [
        ...readFileSync(join(root, file), 'utf8').matchAll(/^(import|export) (?!type )[^'"]*['"]([^'"]*schemas\/[^'"]*)['"]/gm),
      ].map((found) => `${file} imports ${found[2]}`),
    )
    expect(values).toEqual([])
  })

  test('importsOf() finds every kind of import', () => {
    const text = `import a from './a.ts'\nimport type { B } from "./b.ts"\nexport { c } from './c.ts'\nimport './d.ts'\nawait import('./e.ts')`
    expect(importsOf(text)).toEqual(['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts'])
  })

  test('package.json, its lock and the README name no host to fetch packages from', () => {
    const host = /https?:\/\/[^\s"')]*(registry|npm)|--registry|registry=/i
    for (const file of ['package.json', 'README.md'])
      if (existsSync(join(root, file))) expect(readFileSync(join(root, file), 'utf8').match(host)?.[0], file).toBeUndefined()
    const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
    expect(lock.match(/"resolved": "http[^"]*"/)?.[0]).toBeUndefined()
  })
})
