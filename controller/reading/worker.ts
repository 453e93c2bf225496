import { parentPort, workerData } from 'node:worker_threads'
import { openReadOnly } from '../../base/database.ts'
import { storeOver } from '../store/store.ts'
import { readFrom } from './reading.ts'
import type { Answer, Files, Question } from './reading-worker.ts'

/** The root of the reading worker: answers one question after the other, each from what is committed when it begins. */
const { file, logFile } = workerData as Files // given by reading-worker.ts
const store = storeOver(openReadOnly(file), openReadOnly(logFile))

parentPort?.on('message', ({ id, name, rest }: Question) => {
  let answer: Answer
  try {
    answer = { id, ok: true, value: readFrom(store, name, rest) }
  } catch (error) {
    answer = { id, ok: false, message: error instanceof Error ? error.message : String(error), code: codeOf(error) }
  }
  parentPort?.postMessage(answer)
})

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
