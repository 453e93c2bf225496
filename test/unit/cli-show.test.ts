import { describe, expect, test } from 'vitest'
import { exitCodeOfRun, refusalFailure } from '../../controller/cli/exit.ts'
import { writeRecord } from '../../controller/cli/show.ts'
import { ago, factsOf, plain, tableOf } from '../../controller/cli/table.ts'
import { createTranscript } from '../../controller/cli/transcript.ts'
import { wireError } from '../../schemas/errors.ts'
import { recordingIo } from './cli-io.ts'

const ended = (state: Parameters<typeof exitCodeOfRun>[0]['state'], exit_code: number | null, signal: string | null = null) =>
  exitCodeOfRun({
    state,
    exit_code,
    runs: [
      { attempt: 2, signal, exit_code },
      { attempt: 1, signal: 'SIGTERM', exit_code: 9 },
    ],
  })

describe('exitCodeOfRun()', () => {
  test("passes the program's own code on", () => {
    expect(ended('succeeded', 0)).toBe(0)
    expect(ended('failed', 3)).toBe(3)
    expect(ended('failed', 200)).toBe(200)
  })
  test('says 128 + n for a signal of the last run', () => {
    expect(ended('failed', null, 'SIGKILL')).toBe(137)
    expect(ended('failed', 143, 'SIGTERM')).toBe(143)
  })
  test('has codes of its own where there is none', () => {
    expect(ended('failed', null)).toBe(125)
    expect(ended('lost', null)).toBe(125)
    expect(ended('rejected', null)).toBe(125)
    expect(ended('expired', null)).toBe(125)
    expect(ended('timed_out', null)).toBe(124)
    expect(ended('timed_out', 143, 'SIGTERM')).toBe(124)
    expect(ended('cancelled', 143)).toBe(130)
  })
  test('refusalFailure() tells refused from not reachable', () => {
    expect(refusalFailure(wireError('forbidden', 'x')).exitCode).toBe(3)
    expect(refusalFailure(wireError('invalid', 'x')).exitCode).toBe(3)
    expect(refusalFailure(wireError('unavailable', 'x')).exitCode).toBe(4)
    expect(refusalFailure({ code: 'of_the_future', message: 'x', retryable: false }).exitCode).toBe(3)
  })
})

describe('tables', () => {
  test('tableOf() aligns, and is plain where there is no terminal', () => {
    expect(
      tableOf(
        ['A', 'LONG', 'C'],
        [
          ['aaa', 'b', ''],
          ['a', 'bbbbb', 'c'],
        ],
        undefined,
      ),
    ).toBe('A    LONG   C\naaa  b\na    bbbbb  c\n')
  })
  test('tableOf() cuts lines at the width of the terminal', () => {
    expect(tableOf(['A'], [['0123456789']], { columns: 5, colours: false })).toBe('A\n0123…\n')
    expect(tableOf(['A'], [], { columns: 5, colours: true })).toBe('\u001b[1mA\u001b[0m\n')
  })
  test('plain() lets nothing through that moves a cursor', () => {
    expect(plain('a\u001b[2Jb\nc\u0085')).toBe('a�[2Jb c�')
  })
  test('ago() says it in one unit', () => {
    const now = Date.parse('2026-01-02T00:00:00.000Z')
    expect(ago(null, now)).toBe('-')
    expect(ago('2026-01-01T23:59:30.000Z', now)).toBe('30s ago')
    expect(ago('2026-01-01T22:01:00.000Z', now)).toBe('1h ago')
    expect(ago('2026-01-02T00:02:00.000Z', now)).toBe('in 2m')
  })
  test('factsOf() leaves out what is not known', () => {
    expect(
      factsOf([
        ['a', 1],
        ['bbb', null],
        ['cc', 'x'],
      ]),
    ).toBe('a   1\ncc  x\n')
  })
})

describe('writeRecord()', () => {
  test('writes the bytes of the program to where it wrote them, and what Skein says to stderr', () => {
    const out: Buffer[] = []
    const { io, written } = recordingIo({ out: (bytes) => out.push(Buffer.from(bytes)) })
    writeRecord(io, [1, 0, 'o', 'line'])
    writeRecord(io, [2, 0, 'o', { b64: Buffer.from([0xff, 0]).toString('base64') }, 1])
    writeRecord(io, [3, 0, 'e', 'oops'])
    writeRecord(io, [4, 0, 's', 'stopped'])
    writeRecord(io, [9, 0, 's', { dropped: { from: 5, to: 9, lines: 5, bytes: 70, reason: 'the spool is full' } }])
    expect(Buffer.concat(out)).toEqual(Buffer.from([...Buffer.from('line\n'), 0xff, 0]))
    expect(written.err).toBe('oops\nskein: stopped\nskein: 5 lines (70 bytes) are missing here: the spool is full\n')
  })

  test('createTranscript() keeps the end of a large output for --json', () => {
    const { io, written } = recordingIo()
    const transcript = createTranscript(io, true)
    for (let i = 1; i <= 300; i++) transcript.add([i, 0, 'o', 'x'.repeat(9999)])
    transcript.add([301, 0, 'e', 'end'])
    const { stdout, stderr, output_cut } = transcript.texts()
    expect({ isLong: stdout.length >= 1024 * 1024 && stdout.length < 3_000_000, stderr, output_cut }).toEqual({
      isLong: true,
      stderr: 'end\n',
      output_cut: true,
    })
    expect(written).toEqual({ out: '', err: '' })
  })
})
