import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { readConfig } from '../../base/config.ts'
import { parts } from '../../base/settings.ts'
import { programOf } from '../../controller/cli/program.ts'
import { recordingIo } from './cli-io.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8')
const Service = z.looseObject({
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  ports: z.array(z.string()).default([]),
  init: z.literal(true),
})
const { services } = z.object({ services: z.record(z.string(), Service) }).parse(parse(textOf('compose.yaml'), { merge: true }))

describe('compose.yaml', () => {
  test.each(Object.entries(services))(
    '%s is started with a command and settings that there are',
    (_, { command, environment }) => {
      const [word = '', ...argv] = command
      const part = parts.find((one) => one === word)
      if (part) {
        const read = readConfig(part, { argv, env: environment })
        expect(read).toMatchObject({ kind: 'config' })
        // A variable that is no setting of this part would be passed over without a word.
        const names = read.kind === 'config' ? Object.keys(read.config).map((key) => `SKEIN_${key.toUpperCase()}`) : []
        expect(names).toEqual(expect.arrayContaining(Object.keys(environment)))
      } else {
        const verb = command.slice(0, 2).reduce(
          (from, name) => {
            const next = from.commands.find((one) => one.name() === name)
            if (!next) throw new Error(`There is no verb "${name}"`)
            return next
          },
          programOf(recordingIo().io, () => Promise.resolve()),
        )
        expect(verb.parseOptions(command.slice(2))).toEqual({ operands: [], unknown: [] })
      }
    },
  )

  test('what is not encrypted is published on loopback alone', () => {
    const published = Object.values(services).flatMap(({ ports }) => ports)
    expect(published).toHaveLength(3)
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:/)
  })
})

test('the Dockerfile copies what .dockerignore lets through, and nothing that is not there', () => {
  const allowed = textOf('.dockerignore').match(/(?<=^!).+/gm) ?? []
  for (const path of allowed) expect([path, existsSync(join(root, path))]).toEqual([path, true])
  const copied = (textOf('Dockerfile').match(/^COPY (?!--from).*$/gm) ?? []).flatMap((line) => line.split(' ').slice(1, -1))
  expect(copied.length).toBeGreaterThan(3)
  for (const path of copied.filter((one) => one !== '.')) expect(allowed).toContain(path)
})
