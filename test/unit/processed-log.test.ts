import { describe, expect, test } from 'vitest'
import type { LogPlugin } from '../../base/plugins/read-module.ts'
import { createLineCutter } from '../../device/workloads/logs/line-cutter.ts'
import { processLog } from '../../device/workloads/logs/processed-log.ts'
import type { WorkloadLog } from '../../device/workloads/logs/workload-log.ts'

describe('createLineCutter()', () => {
  const cut = (parts: readonly (string | Buffer)[], max = 1000): string[] => {
    const cutter = createLineCutter(max)
    const shown = (pieces: { bytes: Buffer; isWhole: boolean }[]) => pieces.map((one) => `${one.bytes}${one.isWhole ? '$' : '+'}`)
    const found = parts.flatMap((part) => {
      // Whoever gives the bytes uses them again.
      const bytes = Buffer.from(part)
      const pieces = shown(cutter.push(bytes))
      bytes.fill(0)
      return pieces
    })
    return [...found, ...shown(cutter.end()), ...shown(cutter.end())]
  }

  test('puts split lines together, and gives the unfinished one at the end', () => {
    expect(cut(['ab', 'c\nde', '\n\nf', 'g'])).toEqual(['abc$', 'de$', '$', 'fg+'])
    expect(cut(['a\n'])).toEqual(['a$'])
    expect(cut([])).toEqual([])
  })

  test('cuts a line that is too long, whole or not, between characters', () => {
    expect(cut(['abcdefgh\nij\n'], 3)).toEqual(['abc+', 'def+', 'gh$', 'ij$'])
    expect(cut(['ab', 'cd', 'ef', '\n'], 3)).toEqual(['abc+', 'def$'])
    expect(cut(['abc', '\n'], 3)).toEqual(['abc$'])
    expect(cut(['aéé\n'], 2)).toEqual(['a+', 'é+', 'é$'])
    expect(cut(['abcdefg'], 3)).toEqual(['abc+', 'def+', 'g+'])
  })

  test('gives the same lines however the stream is split', () => {
    const text = 'one\ntwo two two two\n\nthrée\nlast'
    const whole = cut([text], 8)
    for (let size = 1; size < 12; size++) {
      const bytes = Buffer.from(text)
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
      expect(cut(parts, 8), `pieces of ${size}`).toEqual(whole)
    }
  })
})

const logWith = (processors: Readonly<Record<string, LogPlugin | undefined>>, maxLineBytes = 1000) => {
  const kept: string[] = []
  const raw: Buffer[] = []
  const failures: string[] = []
  let mono = 0
  let ended = 0
  const inner: WorkloadLog = {
    push: (stream, bytes) => {
      raw.push(Buffer.from(bytes))
      kept.push(`${stream}:${bytes}`)
    },
    say: (text) => kept.push(`s:${text}`),
    end: () => void ended++,
    isFull: () => false,
    page: () => Promise.reject(new Error('not asked')),
    last: () => 0,
    bytes: () => 0,
    dropOldest: () => 0,
    release: () => kept.push('released'),
  }
  const log = processLog(inner, {
    ...{ workload: 'w', maxLineBytes, mono: () => mono },
    processors: Object.entries(processors).map(([name, process]) => ({ name, process })),
    failed: (name, error) => failures.push(`${name}: ${error instanceof Error ? error.message : error}`),
  })
  const push = (text: string | Buffer, stream: 'o' | 'e' = 'o'): void => log.push(stream, Buffer.from(text))
  return { log, kept, raw, failures, push, ended: () => ended, pass: (ms: number) => (mono += ms) }
}
const quiet: LogPlugin = (_, line) => (line.includes('noise') ? null : line)

describe('processLog()', () => {
  test('passes each line through all in order, with its workload and its stream', () => {
    const { push, kept } = logWith({ quiet, mark: (workload, line, stream) => `${workload}/${stream} ${line}` })
    push('a\nnoise\nb')
    push('c\n')
    push('x\n', 'e')
    expect(kept).toEqual(['o:w/o a\n', 'o:w/o bc\n', 'e:w/e x\n'])
  })

  test('what is dropped is not passed on at all', () => {
    const { push, kept, log, ended } = logWith({ quiet })
    push('noise\nnoise\n')
    push('noi')
    push('se')
    log.end()
    expect([kept, ended()]).toEqual([[], 1])
  })

  test('the unfinished line comes at the end of the run, or when this daemon lets go', () => {
    const one = logWith({ up: (_, line) => line.toUpperCase() })
    one.push('a')
    one.log.end()
    one.log.end()
    one.push('b')
    one.log.release()
    expect(one.kept).toEqual(['o:A', 'o:B', 'released'])
  })

  test('a line that is too long is passed on in parts, and ends where it ended', () => {
    const { push, kept } = logWith({ quiet: (_, line) => (line.startsWith('x') ? null : line) }, 4)
    push('abcdefxx')
    push('xy\nxxxxxx\nok\n')
    expect(kept.join('').replaceAll('o:', '')).toBe('abcdefxx\nok\n')
  })

  test('an exception or another answer keeps the line, and is told once a minute', () => {
    let left = (): unknown => {
      throw new Error('oops')
    }
    const { push, kept, failures, pass } = logWith({ bad: () => left(), up: (_, line) => line.toUpperCase() })
    push('a\nb\n')
    left = () => undefined
    push('c\n')
    pass(60_000)
    left = () => Promise.reject(new Error('nobody listens'))
    push('d\n')
    expect(kept.join('').replaceAll('o:', '')).toBe('A\nB\nC\nD\n')
    expect(failures).toEqual(['bad: oops', 'bad: it must answer text or null, not object'])
  })

  test('bytes that are not UTF-8 stay as they are, if nobody has changed the line', () => {
    const { push, raw } = logWith({ same: (_, line) => line })
    const bytes = Buffer.from([0xff, 0x41, 0x0a])
    push(bytes)
    expect(Buffer.concat(raw)).toEqual(bytes)
  })

  test('without its processor nothing is kept, which is said once', () => {
    const { push, kept, log } = logWith({ gone: undefined })
    push('token=abc\n')
    push('more')
    log.end()
    expect(kept).toEqual(['s:no output is kept: the plugin that provides log processor "gone" is not there'])
  })

  test('tells the errors of the last run, as they are kept', () => {
    const { push, log } = logWith({ hide: (_, line) => line.replace('abc', '***') })
    push('token abc', 'e')
    log.end()
    expect(log.lastErrors?.()).toBe('token ***')
    log.end()
    expect(log.lastErrors?.()).toBe('')
    push('new\n', 'e')
    expect(log.lastErrors?.()).toBe('new\n')
  })
})
