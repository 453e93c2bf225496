import type { Clock, Timer } from '../base/clock.ts'
import type { LogRecord, Stream } from '../schemas/log.ts'
import { maxChunkBytes, maxRecordBytes } from '../schemas/log.ts'
import { type Options, optionDefaults } from '../schemas/task.ts'
import type { Journal, JournalRun } from './journal.ts'
import { createCutter, type DroppedPiece, type Piece } from './log-cutter.ts'

export interface RunLogDeps {
  options: Options
  clock: Clock
  journal: Journal
  /** The time that is written on records: the controller's, as the device carries it on. */
  now: () => number
  /** Asks for `store` to be called inside a transaction, soon. */
  wantsStore: () => void
}

/** What is shown at once is worth a wait of this long for company. */
const gatherMs = 50
/** With this much waiting it is stored at once. */
const storeAtBytes = 128 * 1024
/** More than this waits for the disk: the program is to wait too. */
export const pendingLimitBytes = 1024 * 1024

/**
 * The log of one run on its device: cuts what the program writes into records, holds them until they are in the journal, and
 * keeps the limit on output. `store` writes what is pending and gives the run's row with its counters moved on.
 */
export const createRunLog = (deps: RunLogDeps) => {
  const maxLineBytes = deps.options.max_line_bytes ?? optionDefaults.max_line_bytes
  const maxOutputBytes = deps.options.max_output_bytes ?? optionDefaults.max_output_bytes
  const cutters = {
    o: createCutter({ maxRecordBytes, maxLineBytes }),
    e: createCutter({ maxRecordBytes, maxLineBytes }),
  }
  let pending: { stream: Stream; piece: Piece }[] = []
  /** Given to a transaction that has not committed yet. */
  let taken: { stream: Stream; piece: Piece }[] = []
  let pendingBytes = 0
  let timer: Timer | undefined

  const add = (stream: Stream, pieces: readonly Piece[]): void => {
    for (const piece of pieces) {
      const last = pending.at(-1)
      if (piece.dropped && last?.stream === stream && last.piece.dropped) {
        last.piece = merged(last.piece, piece)
        continue
      }
      pending.push({ stream, piece })
      pendingBytes += weightOf(piece)
    }
  }

  const gather = (): void => {
    timer ??= deps.clock.after(gatherMs, () => {
      timer = undefined
      for (const stream of ['o', 'e'] as const) add(stream, cutters[stream].flush(deps.now()))
      deps.wantsStore()
    })
  }

  return {
    push: (stream: 'o' | 'e', bytes: Uint8Array): void => {
      add(stream, cutters[stream].push(bytes, deps.now()))
      if (pendingBytes >= storeAtBytes) deps.wantsStore()
      else gather()
    },
    /** Skein's own word in the log. */
    say: (text: string): void => {
      add('s', [{ at: deps.now(), text, goesOn: false, bytes: 0 }])
      gather()
    },
    /** No more will come: the last unfinished line is given as it is. */
    finish: (): void => {
      timer?.cancel()
      for (const stream of ['o', 'e'] as const) add(stream, cutters[stream].end(deps.now()))
    },
    isFull: (): boolean => pendingBytes > pendingLimitBytes,

    /** Inside a transaction: what is pending goes into the journal. After it call `stored`, or `putBack` if it failed. */
    store: (row: JournalRun, isLast: boolean): JournalRun => {
      let next = { ...row }
      const chunk = openChunk(deps.journal, row.run_id)
      const taking = pending
      pending = []
      taken = taken.concat(taking)
      for (const { stream, piece } of taking) {
        const bytes = piece.bytes
        if (stream === 'o') next.out_bytes += bytes
        if (stream === 'e') next.err_bytes += bytes
        // From the first piece that does not fit nothing is kept: a shorter one behind it would hide the hole.
        const isOver = next.over_bytes > 0 || next.over_lines > 0
        const isTooMuch = piece.dropped === undefined && next.bytes + bytes > maxOutputBytes
        if (stream !== 's' && (isOver || isTooMuch)) {
          if (!isOver) {
            chunk.add(
              [
                ++next.log_seq,
                piece.at,
                's',
                `output limit of ${maxOutputBytes} bytes reached; what follows is counted, not kept`,
              ],
              0,
              0,
            )
          }
          const lines = piece.dropped ? piece.dropped.lines : piece.goesOn ? 0 : 1
          next = { ...next, over_lines: next.over_lines + lines, over_bytes: next.over_bytes + bytes }
          next = { ...next, dropped_lines: next.dropped_lines + lines, dropped_bytes: next.dropped_bytes + bytes }
          continue
        }
        const seq = ++next.log_seq
        if (piece.dropped) {
          next = { ...next, dropped_lines: next.dropped_lines + piece.dropped.lines, dropped_bytes: next.dropped_bytes + bytes }
          chunk.add([seq, piece.at, stream, { dropped: { from: seq, to: seq, ...piece.dropped, reason: piece.reason } }], 0, 0)
          continue
        }
        const lines = piece.goesOn || stream === 's' ? 0 : 1
        next.lines += lines
        next.bytes += bytes
        chunk.add(piece.goesOn ? [seq, piece.at, stream, piece.text, 1] : [seq, piece.at, stream, piece.text], lines, bytes)
      }
      if (isLast && (next.over_lines > 0 || next.over_bytes > 0)) {
        const seq = ++next.log_seq
        const dropped = { from: seq, to: seq, lines: next.over_lines, bytes: next.over_bytes, reason: 'output_limit' }
        chunk.add([seq, deps.now(), 's', { dropped }], 0, 0)
      }
      chunk.close()
      return next
    },
    stored: (): void => {
      for (const { piece } of taken) pendingBytes -= weightOf(piece)
      taken = []
    },
    putBack: (): void => {
      pending = [...taken, ...pending]
      taken = []
    },
    release: (): void => timer?.cancel(),
  }
}
export type RunLog = ReturnType<typeof createRunLog>

/** Two counts of dropped bytes that stand beside each other are one. */
const merged = (a: DroppedPiece, b: DroppedPiece): DroppedPiece => ({
  ...b,
  dropped: { lines: b.dropped.lines, bytes: a.dropped.bytes + b.dropped.bytes },
  bytes: a.bytes + b.bytes,
})

/** What a piece takes in memory: short lines are mostly overhead. */
const weightOf = (piece: Piece): number => (piece.dropped ? 0 : piece.bytes) + 64

/** Collects records into chunks that fit in a message each, and journals them. */
const openChunk = (journal: Journal, run: string) => {
  let bodies: string[] = []
  let size = 0
  let first = 0
  let last = 0
  let lines = 0
  let bytes = 0
  const close = (): void => {
    if (bodies.length === 0) return
    journal.appendLog(run, { seq: last, first, lines, bytes, body: `[${bodies.join(',')}]` })
    bodies = []
    size = 0
    lines = 0
    bytes = 0
  }
  return {
    add: (record: LogRecord, moreLines: number, moreBytes: number): void => {
      const body = JSON.stringify(record)
      const bodySize = Buffer.byteLength(body)
      // Control characters grow sixfold in JSON: what counts is the encoded size.
      if (size > 0 && size + bodySize > maxChunkBytes) close()
      if (bodies.length === 0) first = record[0]
      bodies.push(body)
      size += bodySize
      last = record[0]
      lines += moreLines
      bytes += moreBytes
    },
    close,
  }
}
