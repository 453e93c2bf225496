import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Journal, openJournal } from '../../device/journal.ts'
import { createTrust, type Pins } from '../../device/trust.ts'

let folder: string
let journal: Journal
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-trust-'))
  journal = openJournal(join(folder, 'journal.db'))
})
afterEach(() => {
  journal.close()
  rmSync(folder, { recursive: true, force: true })
})

const believed = (pins: Pins): string[] =>
  createTrust(journal, () => pins)
    .kids()
    .sort()

describe('createTrust() believes', () => {
  test('the key that its token names, until a welcome has named others', () => {
    expect(believed({ by: 'token-1', kids: ['old'] })).toEqual(['old'])
  })

  test('only what the last welcome named, from then on: a key that was forgotten since is not believed because the token still names it', () => {
    const trust = createTrust(journal, () => ({ by: 'token-1', kids: ['old'] }))
    expect(trust.kids()).toEqual(['old'])
    journal.setControllerKeys(['new'], trust.pinnedBy())
    trust.refresh()
    expect(trust.kids()).toEqual(['new'])
    expect(believed({ by: 'token-1', kids: ['old'] }), 'in the next daemon too').toEqual(['new'])
  })

  test('besides, the key of a token that has come since: who hands it out is trusted', () => {
    journal.setControllerKeys(['k1', 'k2'], 'token-1')
    expect(believed({ by: 'token-2', kids: ['k3'] })).toEqual(['k1', 'k2', 'k3'])
  })

  test('of a journal from before this was noted, both', () => {
    journal.db.exec("insert into meta (key, value) values ('controller_keys', 'k1')")
    expect(believed({ by: 'token-1', kids: ['k0'] })).toEqual(['k0', 'k1'])
  })
})
