import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Writes a file so that a reader, or a power cut, finds the old text or the new one, never a part. */
export const writeFileAtomic = (file: string, text: string, mode = 0o644): void => {
  const draft = `${file}.${randomUUID().slice(0, 8)}`
  const fd = openSync(draft, 'wx', mode)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(draft, file)
  const folder = openSync(dirname(file), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
