import { accessSync, constants, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Where a shell in a folder would find a program, by its name or path; or that there is none, or only what may not be executed. */
export const findProgram = (program: string, path: string, cwd: string): { path: string } | 'missing' | 'forbidden' => {
  if (program === '') return 'missing'
  const candidates = program.includes('/')
    ? [resolve(cwd, program)]
    : path.split(':').map((folder) => join(resolve(cwd, folder), program))
  let verdict: 'missing' | 'forbidden' = 'missing'
  for (const candidate of candidates) {
    const stat = statIfThere(candidate)
    if (!stat) continue
    if (stat.isFile() && isExecutable(candidate)) return { path: program.includes('/') ? program : candidate }
    verdict = 'forbidden'
  }
  return verdict
}

const statIfThere = (path: string) => {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // A folder that may not be entered, a name that is too long, a file in place of a folder: a shell goes on looking as well.
    return undefined
  }
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // The refusal is the answer.
    return false
  }
}
