import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { collect, plainEnv } from '../harness/installation.ts'

const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))
const data = mkdtempSync(join(tmpdir(), 'skein-by-hand-'))
afterAll(() => rmSync(data, { recursive: true, force: true }))

const byHand = (...args: string[]) => collect(process.execPath, [skein, ...args], { ...plainEnv(), SKEIN_DATA: data })

test('a device that is to connect and has no token says so in one line and exits with 78', async () => {
  const { code, stderr } = await byHand('device', '--name', 'pi', '--url', 'mqtt://127.0.0.1:9')
  const token = join(data, 'devices', 'pi', 'token')
  expect([code, stderr]).toEqual([
    78,
    `skein device: token_file: there is no ${token}; join with "skein device join", or give a token with --token or --token-file\n`,
  ])
})

test('help of a verb, of a verb below a verb, and of a part', async () => {
  for (const [words, usage] of [
    [['run'], 'Usage: skein run'],
    [['task', 'submit'], 'Usage: skein task submit'],
    [['device'], 'Usage: skein device [options] [command]'],
    [['up'], 'Usage: skein up'],
  ] as const) {
    const { code, stdout } = await byHand('help', ...words)
    expect([code, stdout.slice(0, usage.length)]).toEqual([0, usage])
  }
})
