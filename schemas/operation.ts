import { z } from 'zod'

/** Who may ask: each role may do all that those before it may. */
export const askerRoles = ['viewer', 'operator', 'admin'] as const
export type AskerRole = (typeof askerRoles)[number]

/** Two roles ask for one thing each, and nobody else may. */
type SoleAsker = 'join' | 'device'

/** One entry of the table of operations. */
export type Operation = {
  summary: string
  role: AskerRole | SoleAsker
  http: { method: 'get' | 'post' | 'put' | 'delete'; path: string; status: 200 | 201 }
  input: z.ZodType
  output: z.ZodType
}

/** Numbers and flags may come as text, from a query string. */
export const number = (schema: z.ZodNumber) =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^-?\d+$/, 'must be a whole number')
        .transform(Number),
    ])
    .pipe(schema)
export const yesOrNo = z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean())
export const many = <T extends Readonly<Record<string, string>>>(schema: z.ZodEnum<T>) =>
  z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(schema))

export const limit = (most: number, usual: number) => number(z.number().int().min(1).max(most)).default(usual)
export const page = { limit: limit(1000, 50), cursor: z.string().max(200).optional() }
