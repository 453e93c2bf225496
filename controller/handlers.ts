import type { Outcome } from '../schemas/errors.ts'
import type { InputOf, OperationName } from '../schemas/operations.ts'
import type { Asker } from './asking.ts'

/** What answers each operation of the table. */
export type Handlers = {
  [N in OperationName]: (asker: Asker, input: InputOf<N>) => Outcome<unknown> | Promise<Outcome<unknown>>
}
