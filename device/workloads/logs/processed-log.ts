import { isUtf8 } from 'node:buffer'
import { ignored } from '../../../base/plugins/ignored.ts'
import type { LogPlugin } from '../../../base/plugins/read-module.ts'
import { notThere } from '../plugin-needs.ts'
import { createLineCutter, type LineCutter } from './line-cutter.ts'
import type { WorkloadLog } from './workload-log.ts'

export interface ProcessedLogDeps {
  workload: string
  /** In the order in which a line passes through them; undefined for one that is not there. */
  processors: readonly { name: string; process: LogPlugin | undefined }[]
  maxLineBytes: number
  mono: () => number
  /** A processor has thrown, or answered what is neither text nor null. */
  failed: (processor: string, error: unknown) => void
}

const tellAgainMs = 60_000
const errorChars = 500
const newline = Buffer.from('\n')

/**
 * A log whose lines pass through the processors of plugins before anything of them is kept. A line that has begun waits here for its end: with
 * a daemon that is killed it is gone. Where a processor is not there no line is kept: it may be the one that hides what is secret.
 */
export const processLog = <L extends WorkloadLog>(log: L, deps: ProcessedLogDeps): L => {
  const { workload, processors, mono, failed } = deps
  const missing = processors.find(({ process }) => !process)
  const toldMono = new Map<string, number>()
  let isMissingTold = false
  let errors = ''
  let isOver = false

  const tellFailed = (name: string, error: unknown): void => {
    const told = toldMono.get(name)
    if (told !== undefined && mono() - told < tellAgainMs) return
    toldMono.set(name, mono())
    failed(name, error)
  }

  /** What the processors leave of a line; null for nothing. */
  const through = (line: Buffer, stream: 'o' | 'e'): Buffer | null => {
    const given = line.toString('utf8')
    let text = given
    for (const { name, process } of processors) {
      try {
        const said = process?.(workload, text, stream)
        if (said === null) return null
        if (typeof said === 'string') text = said
        else {
          ignored(said)
          throw new Error(`it must answer text or null, not ${typeof said}`)
        }
      } catch (error) {
        tellFailed(name, error)
      }
    }
    // What is not UTF-8, and was left alone, stays as it is.
    return text === given && !isUtf8(line) ? line : Buffer.from(text)
  }

  const keep = (stream: 'o' | 'e', parts: readonly Buffer[]): void => {
    if (parts.length === 0) return
    const bytes = Buffer.concat(parts)
    if (stream === 'e') errors = (errors + bytes.toString('utf8', Math.max(0, bytes.length - 4 * errorChars))).slice(-errorChars)
    log.push(stream, bytes)
  }

  const cutters = { o: createLineCutter(deps.maxLineBytes), e: createLineCutter(deps.maxLineBytes) }
  /** Of the line that has begun something was passed on: its end is passed on as well. */
  const isOpen = { o: false, e: false }

  const pass = (stream: 'o' | 'e', pieces: ReturnType<LineCutter['push']>): void => {
    const kept: Buffer[] = []
    for (const { bytes, isWhole } of pieces) {
      const left = through(bytes, stream)
      if (left) kept.push(left)
      if (isWhole && (left || isOpen[stream])) kept.push(newline)
      isOpen[stream] = !isWhole && (isOpen[stream] || left !== null)
    }
    keep(stream, kept)
  }
  const passRest = (): void => {
    for (const stream of ['o', 'e'] as const) {
      pass(stream, cutters[stream].end())
      isOpen[stream] = false
    }
  }

  const push = (stream: 'o' | 'e', bytes: Buffer): void => {
    if (isOver) errors = ''
    isOver = false
    if (!missing) return pass(stream, cutters[stream].push(bytes))
    if (isMissingTold) return
    try {
      log.say(`no output is kept: ${notThere('log processor', missing.name)}`)
      isMissingTold = true
    } catch {
      // There is no room: it is said with what comes next.
    }
  }

  return {
    ...log,
    push,
    end: () => {
      passRest()
      // A run that has written nothing has no errors of the one before.
      if (isOver) errors = ''
      log.end()
      isOver = true
    },
    release: () => {
      passRest()
      log.release()
    },
    lastErrors: () => errors,
  }
}
