import { existsSync } from 'node:fs'

const isRequired = process.env['CI'] !== undefined && process.env['CI'] !== ''

/** Where a program is; undefined, with a warning, where it is missing. Under CI nothing is skipped for that. */
export const findProgram = (places: readonly string[], what: string): string | undefined => {
  const program = places.find((one) => existsSync(one))
  if (program === undefined && isRequired) throw new Error(`${what} is not installed, and under CI nothing is skipped for that`)
  if (program === undefined) console.warn(`SKIPPED: ${what} is not installed`)
  return program
}
