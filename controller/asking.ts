import type { Outcome } from '../schemas/errors.ts'

/** Who asks, as the door has proved it: by the topic of the request, or by the bearer token. */
export interface Asker {
  subject: string
  /** Which way the request came; the default of a task's `source`. */
  door: 'mqtt' | 'api' | 'cli'
  /** The id that the client has given the request: the same when it is repeated. */
  request?: string | null
}

/**
 * Asks the controller for an operation of the table: checks the role, reads the input, does it, commits.
 * Resolves after the commit; an expected refusal is a value. Rejects only if nothing can be stored (a full disk).
 */
export type Ask = (asker: Asker, operation: string, input: unknown) => Promise<Outcome<unknown>>
