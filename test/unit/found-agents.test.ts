import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../base/log.ts'
import { createFoundAgents } from '../../device/agents/found-agents.ts'
import { readProfiles } from '../../device/agents/profile.ts'

let world: string
beforeEach(() => {
  world = mkdtempSync(join(tmpdir(), 'skein-found-'))
})
afterEach(() => rmSync(world, { recursive: true, force: true }))

const goose = (text: string, mode = 0o755): void => {
  const file = join(world, 'goose')
  writeFileSync(file, `#!/bin/sh\n${text}\n`)
  chmodSync(file, mode)
}
const opened = (path: string) => createFoundAgents(readProfiles(join(world, 'none')), path, silentLog)

describe('createFoundAgents()', () => {
  test('tells of agents that come, change and go', async () => {
    const agents = opened(`${world}:/bin`)
    expect([await agents.look(), agents.labels()]).toEqual([false, {}])
    goose('echo " 1.52.0"')
    expect([await agents.look(), agents.labels()]).toEqual([true, { 'agent.goose': '1.52.0' }])
    expect(await agents.look(), 'nothing has changed').toBe(false)
    goose('echo " 1.53.0 and more"')
    expect([await agents.look(), agents.labels()]).toEqual([true, { 'agent.goose': '1.53.0' }])
    rmSync(join(world, 'goose'))
    expect([await agents.look(), agents.labels()]).toEqual([true, {}])
  })

  test('what does not tell its version is there all the same; what may not be executed is not', async () => {
    goose('exit 3')
    const agents = opened(world)
    expect([await agents.look(), agents.labels()]).toEqual([true, { 'agent.goose': 'unknown' }])
    goose('echo 1.52.0', 0o644)
    expect([await agents.look(), agents.labels()]).toEqual([true, {}])
  })

  test('a PATH of folders that are none, or cannot be looked into, is gone through', async () => {
    mkdirSync(join(world, 'bin'))
    writeFileSync(join(world, 'file'), '')
    goose('echo 1.52.0')
    const agents = opened([join(world, 'file'), join(world, 'x'.repeat(300)), join(world, 'bin'), world].join(':'))
    expect([await agents.look(), agents.labels()]).toEqual([true, { 'agent.goose': '1.52.0' }])
  })
})
