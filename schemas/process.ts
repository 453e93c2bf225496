import { z } from 'zod'
import { idPattern } from './ids.ts'

/** Text that can be an argument, a path or a variable: without a NUL byte. */
export const noNul = (text: z.ZodString) =>
  text.refine((value) => !value.includes('\0'), { message: 'must not hold a NUL byte', params: { code: 'nul_byte' } })

export const VariableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable name is letters, digits and _')
export const Env = z.record(VariableName, noNul(z.string()))

/** A program with its arguments, or a line for `sh -c`. */
export const CommandWords = z.union([noNul(z.string().min(1)), z.array(noNul(z.string())).min(1)])
export const ScriptText = noNul(z.string().regex(/^#!/, 'must begin with a shebang, as in "#!/bin/sh"'))
export const Folder = noNul(z.string().min(1))

const Workload = z.string().regex(idPattern, "a workload's name is 1 to 63 of a-z, 0-9 and -, and does not start with -")

/** What runs: `command` is a program with its arguments, or a line for `sh -c`; `script` is a text with a shebang; `workload` is one of its device. */
export const ProcessPayload = z.strictObject({
  command: CommandWords.optional(),
  script: ScriptText.optional(),
  args: z.array(noNul(z.string())).optional(),
  /** Once, beside what the device runs of it anyway. */
  workload: Workload.optional(),
  /** A command or script with the environment and the folder of this workload, as its user. */
  within: Workload.optional(),
  env: Env.optional(),
  cwd: Folder.optional(),
})
export type ProcessPayload = z.infer<typeof ProcessPayload>
