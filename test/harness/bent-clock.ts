import { writeFileSync } from 'node:fs'
import { findProgram } from './program.ts'

const folders = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib/arm-linux-gnueabihf',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
]

/** The library that bends the clock of a program; undefined, with a warning, where it is missing. */
export const faketimeLibrary = (): string | undefined =>
  findProgram(
    folders.map((folder) => `${folder}/faketime/libfaketimeMT.so.1`),
    'libfaketime (the package faketime)',
  )

/** A wall clock that a test sets for one program alone, while that runs. Its monotonic clock goes on as it is. */
export const createBentClock = (library: string, file: string) => {
  let offsetMs = 0
  // Added to what the kernel says; looked up each time.
  const set = (seconds: number): void => {
    offsetMs = seconds * 1000
    writeFileSync(file, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`)
  }
  set(0)
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
    set,
    now: (): number => Date.now() + offsetMs,
  }
}
