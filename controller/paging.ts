import { refused } from '../schemas/errors.ts'
import { maxOutputBytes } from '../schemas/request.ts'

/** Pages of a list: as many rows as are asked for and fit in a message. The cursor is null at the end. */
export const pageOf = <T>(rows: readonly T[], limit: number, show: (row: T) => unknown, cursorOf: (row: T) => number) => {
  const shown: unknown[] = []
  let bytes = 0
  for (const row of rows.slice(0, limit)) {
    const one = show(row)
    bytes += Buffer.byteLength(JSON.stringify(one)) + 1
    if (shown.length > 0 && bytes > maxOutputBytes * 0.9) break
    shown.push(one)
  }
  const last = rows[shown.length - 1]
  return { shown, cursor: shown.length < rows.length && last !== undefined ? String(cursorOf(last)) : null }
}

export const badCursor = refused('invalid', 'cursor: is not one that was given out', [
  { field: 'cursor', code: 'invalid_cursor', message: 'is not one that was given out' },
])

/** Null for what was never given out. */
export const readCursor = (text: string): number | null => (/^\d{1,15}$/.test(text) ? Number(text) : null)
