import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import { VariableName } from '../../schemas/process.ts'
import { shortestSecret } from './redaction.ts'

const Stored = z.record(VariableName, z.string())

/** What this device holds for agents, in a file of its own that only its user can read: names are told, values never. */
export const openSecrets = (file: string) => {
  const read = (): Record<string, string> => (existsSync(file) ? Stored.parse(JSON.parse(readFileSync(file, 'utf8'))) : {})
  const write = (all: Readonly<Record<string, string>>): void => writeFileAtomic(file, `${JSON.stringify(all, null, 2)}\n`, 0o600)
  return {
    /** All values: what is written is searched for each of them, whoever was given which. */
    all: read,
    names: (): string[] => Object.keys(read()).sort(),
    /** The values of these; or the first name that is not here. */
    pick: (names: readonly string[]): { ok: true; values: Record<string, string> } | { ok: false; missing: string } => {
      if (names.length === 0) return { ok: true, values: {} }
      const all = read()
      const missing = names.find((name) => !Object.hasOwn(all, name))
      return missing === undefined
        ? { ok: true, values: Object.fromEntries(names.map((name) => [name, all[name] ?? ''])) }
        : { ok: false, missing }
    },
    set: (name: string, value: string): Outcome<{ name: string }> => {
      if (value.length < shortestSecret || value.includes('\0'))
        return refused(
          'invalid',
          `the value of ${name} must have at least ${shortestSecret} characters, or it could not be kept out of logs`,
        )
      write({ ...read(), [name]: value })
      return accepted({ name })
    },
    delete: (name: string): Outcome<{ name: string }> => {
      const { [name]: gone, ...rest } = read()
      if (gone === undefined) return refused('not_found', `this device has no secret "${name}"`)
      write(rest)
      return accepted({ name })
    },
  }
}
export type Secrets = ReturnType<typeof openSecrets>
