import type { Io } from '../io.ts'
import { plain } from '../table.ts'

/** What one look has found. `skipped` says why nothing was looked at. */
export interface Check {
  id: string
  state: 'ok' | 'warn' | 'fail' | 'skipped'
  found: string
  /** What to do about it. */
  todo?: string
}

export const ok = (id: string, found: string): Check => ({ id, state: 'ok', found })
export const warn = (id: string, found: string, todo: string): Check => ({ id, state: 'warn', found, todo })
export const fail = (id: string, found: string, todo: string): Check => ({ id, state: 'fail', found, todo })
export const skipped = (id: string, found: string): Check => ({ id, state: 'skipped', found })

/** Findings come one after another, so that the column is as wide as most of them, and not as the widest to come. */
const width = 15
const colours = { ok: 32, warn: 33, fail: 31, skipped: 2 }

/** The findings for people, in the order in which they were made. */
export const checksText = (checks: readonly Check[], io: Pick<Io, 'terminal'>): string => {
  return checks
    .map(({ id, state, found, todo }) => {
      const word = state.padEnd(7)
      const shown = io.terminal?.colours ? `\u001b[${colours[state]}m${word}\u001b[0m` : word
      const line = `${shown}  ${id.padEnd(width)}  ${plain(found)}\n`
      return todo === undefined ? line : `${line}${' '.repeat(width + 11)}-> ${plain(todo)}\n`
    })
    .join('')
}
