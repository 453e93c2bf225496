import { createReadStream } from 'node:fs'

/** How many lines a file has. */
export const countLines = async (file: string): Promise<number> => {
  let lines = 0
  for await (const bytes of createReadStream(file, { highWaterMark: 1024 * 1024 }))
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines++
  return lines
}

const newline = 10
