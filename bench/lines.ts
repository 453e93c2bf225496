import { closeSync, openSync, writeSync } from 'node:fs'

/** A line of 99 bytes that says which one it is; with its newline 100. */
export const lineOf = (i: number): string =>
  `${String(i).padStart(9, '0')} ${'some words of a program that tells what it does, again '.repeat(2).slice(0, 89)}`

/** Writes so many of them, for a program that gives them out as fast as it can. */
export const writeLines = (path: string, count: number): void => {
  const fd = openSync(path, 'w')
  for (let i = 0; i < count; i += 10_000) {
    writeSync(fd, Array.from({ length: Math.min(10_000, count - i) }, (_, k) => `${lineOf(i + k)}\n`).join(''))
  }
  closeSync(fd)
}
