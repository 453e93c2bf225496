import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../base/log.ts'
import { type Homes, openHomes } from '../../device/agents/homes.ts'
import { eventually } from '../harness/eventually.ts'

let world: string
let homes: Homes
const folder = (): string => join(world, 'homes')
const artifacts = (): string => join(world, 'artifacts')
const reopen = (): Homes => openHomes(folder(), artifacts(), silentLog)
beforeEach(() => {
  world = mkdtempSync(join(tmpdir(), 'skein-homes-'))
  homes = reopen()
})
afterEach(() => rmSync(world, { recursive: true, force: true }))

const longAgo = (path: string): void => {
  const then = new Date(Date.now() - 40 * 24 * 3600 * 1000)
  utimesSync(path, then, then)
}

describe('openHomes()', () => {
  test('the next attempt of a task takes over the folder and the conversation', () => {
    const first = homes.open('T1-1')
    expect(first.session).toBe(undefined)
    writeFileSync(join(first.path, 'said'), 'hello')
    homes.keepSession('T1-1', 's1')
    const second = homes.open('T1-2')
    expect([second.session, readFileSync(join(second.path, 'said'), 'utf8')]).toEqual(['s1', 'hello'])
    expect(readdirSync(folder()).sort()).toEqual(['T1-2', 'T1-2.session'])
  })

  test('a conversation that is gone on with can be gone on with again', () => {
    writeFileSync(join(homes.open('T1-1').path, 'said'), 'hello')
    homes.keepSession('T1-1', 's1')
    for (const run of ['T2-1', 'T3-1']) {
      const next = homes.openFrom(run, 'T1-1')
      expect([next?.session, readFileSync(join(next?.path ?? '', 'said'), 'utf8')]).toEqual(['s1', 'hello'])
    }
    expect(homes.openFrom('T4-1', 'T9-1')).toBe(undefined)
  })

  test('nothing is left of a run that is removed', async () => {
    homes.open('T1-1')
    homes.keepSession('T1-1', 's1')
    homes.remove('T1-1')
    await eventually('it has gone', () => readdirSync(folder()).length === 0)
  })

  test('what nobody has come back for goes after a while, but nothing that is in use', () => {
    for (const run of ['T1-1', 'T2-1']) longAgo(homes.open(run).path)
    mkdirSync(join(artifacts(), 'T1-1'), { recursive: true })
    mkdirSync(join(artifacts(), 'T2-1'))
    homes.keep('T1-1')
    for (const run of ['T1-1', 'T2-1']) longAgo(join(artifacts(), run))
    homes.sweep()
    expect([existsSync(join(folder(), 'T1-1')), existsSync(join(artifacts(), 'T1-1'))]).toEqual([false, false])
    expect([existsSync(join(folder(), 'T2-1')), existsSync(join(artifacts(), 'T2-1'))]).toEqual([true, true])
    reopen()
    expect(readdirSync(folder()), 'of an earlier daemon').toEqual([])
  })
})
