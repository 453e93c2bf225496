import type { Db } from '../../base/database.ts'
import type { Desired, DesiredRelease } from '../../schemas/desired.ts'
import type { ReleaseLife } from './life.ts'

interface ReleaseRow {
  name: string
  wanted: string | null
  active: string | null
  verdict: ReleaseLife['verdict']
  previous: string | null
  state: ReleaseLife['state']
  reason: string | null
  since: number
  went_back: number
  settling_mono: number | null
  settling_boot: string | null
  failed_ends: string
}

/** The tables of releases, and what the device is to run. Nothing here commits: callers group what belongs together. */
export const createReleaseRows = (db: Db) => {
  const all = db.prepare<[], ReleaseRow>('select * from release order by name')
  const get = db.prepare<[string], ReleaseRow>('select * from release where name = ?')
  const put = db.prepare<ReleaseRow>(`
    insert or replace into release (name, wanted, active, verdict, previous, state, reason, since, went_back, settling_mono, settling_boot, failed_ends)
    values (@name, @wanted, @active, @verdict, @previous, @state, @reason, @since, @went_back, @settling_mono, @settling_boot, @failed_ends)`)
  const remove = db.prepare<[string]>('delete from release where name = ?')
  const desired = db.prepare<[], { revision: number; epoch: number; text: string }>('select revision, epoch, text from desired')
  const setDesired = db.prepare<[number, number, string]>(
    'insert or replace into desired (id, revision, epoch, text) values (1, ?, ?, ?)',
  )
  const folder = db.prepare<[string], { boot: string }>('select boot from release_folder where digest = ?')
  const putFolder = db.prepare<[string, string]>('insert or replace into release_folder (digest, boot) values (?, ?)')
  const dropFolder = db.prepare<[string]>('delete from release_folder where digest = ?')

  return {
    all: (): ReleaseLife[] => all.all().map(lifeOf),
    get: (name: string): ReleaseLife | undefined => {
      const row = get.get(name)
      return row && lifeOf(row)
    },
    put: (life: ReleaseLife): void => void put.run(rowOf(life)),
    remove: (name: string): void => void remove.run(name),
    /** Of the document that was accepted last; undefined before the first. */
    desired: (): { revision: number; epoch: number; text: string } | undefined => desired.get(),
    setDesired: (document: Desired): void => void setDesired.run(document.revision, document.epoch, JSON.stringify(document)),
    /** In which boot the folder of a release was found whole. */
    foundWholeIn: (digest: string): string | undefined => folder.get(digest)?.boot,
    putFolder: (digest: string, boot: string): void => void putFolder.run(digest, boot),
    dropFolder: (digest: string): void => void dropFolder.run(digest),
  }
}
export type ReleaseRows = ReturnType<typeof createReleaseRows>

const lifeOf = (row: ReleaseRow): ReleaseLife => ({
  name: row.name,
  wanted: releaseIn(row.wanted),
  active: releaseIn(row.active),
  verdict: row.verdict,
  previous: releaseIn(row.previous),
  state: row.state,
  reason: row.reason,
  since: row.since,
  wentBack: row.went_back === 1,
  settling:
    row.settling_mono === null || row.settling_boot === null ? null : { mono: row.settling_mono, boot: row.settling_boot },
  failedEnds: JSON.parse(row.failed_ends) as Record<string, number>, // stored from counts
})

const rowOf = (life: ReleaseLife): ReleaseRow => ({
  name: life.name,
  wanted: textOf(life.wanted),
  active: textOf(life.active),
  verdict: life.verdict,
  previous: textOf(life.previous),
  state: life.state,
  reason: life.reason,
  since: Math.round(life.since),
  went_back: life.wentBack ? 1 : 0,
  settling_mono: life.settling && Math.round(life.settling.mono),
  settling_boot: life.settling?.boot ?? null,
  failed_ends: JSON.stringify(life.failedEnds),
})

const textOf = (release: DesiredRelease | null): string | null => release && JSON.stringify(release)
const releaseIn = (text: string | null): DesiredRelease | null => (text === null ? null : (JSON.parse(text) as DesiredRelease)) // stored from one
