import type { FieldFault } from '../../schemas/errors.ts'

/** What is wrong with a file, or with a field in it. */
export interface FileFault extends FieldFault {
  file: string
  /** From 1; null where it is about the file as a whole. */
  line: number | null
}

export interface SourceFile {
  path: string
  text: string
}

/** So large may a file be, and what its templates make of it. */
export const maxFileBytes = 256 * 1024

/** The field that a fault of the whole file is put under. */
export const wholeFile = '(file)'

export const tooLarge = (bytes: number): { code: string; message: string } => ({
  code: 'too_large',
  message: `has ${bytes} bytes, more than ${maxFileBytes}`,
})

/** Tells the line of a place in a text, from 1. */
export const linesOf = (text: string): ((offset: number) => number) => {
  const ends: number[] = []
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) ends.push(at)
  return (offset) => 1 + countUpTo(ends.length, (i) => (ends[i] ?? 0) < offset)
}

/** How many of the first of a sorted row something holds for. */
export const countUpTo = (length: number, holds: (i: number) => boolean): number => {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) low = middle + 1
    else high = middle
  }
  return low
}
