import { accessSync, constants, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { usageFailure } from './exit.ts'

/** Refuses a path, as `what` says where it was given, at which no file can be written: before anything is asked for that would go into it. */
export const mustTakeFile = (what: string, file: string): void => {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw usageFailure(`${what}: "${file}" is a folder; name a file`)
  mustTakeEntries(what, dirname(file))
}

/** The same for a folder that is to be there already. */
const mustTakeEntries = (what: string, folder: string): void => {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw usageFailure(`${what}: there is no folder "${folder}"`)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch {
    // The refusal is the answer.
    throw usageFailure(`${what}: nothing may be written into "${folder}"`)
  }
}

/** A file that is to be read. */
export const mustBeFile = (what: string, file: string): void => {
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) throw usageFailure(`${what}: there is no file "${file}"`)
  if (found.isDirectory()) throw usageFailure(`${what}: "${file}" is a folder; name a file`)
}
