import { z } from 'zod'

/** Every code a refusal may carry, its HTTP status, and whether the same request may succeed later. Codes never change meaning. */
export const errorCodes = {
  invalid: { status: 400, retryable: false, meaning: 'the input does not fit; details name each field' },
  unauthorized: { status: 401, retryable: false, meaning: 'no token, or one that does not hold' },
  forbidden: { status: 403, retryable: false, meaning: 'the role of the token may not do this, or the device lets nobody do it' },
  not_found: { status: 404, retryable: false, meaning: 'there is no such thing' },
  unknown_operation: { status: 404, retryable: false, meaning: 'there is no such operation' },
  misdirected: { status: 421, retryable: false, meaning: 'the request names a host that this is not' },
  too_many: { status: 429, retryable: false, meaning: 'it was tried too often; wait' },
  conflict: { status: 409, retryable: false, meaning: 'it stands against what is already so' },
  no_match: { status: 422, retryable: false, meaning: 'no device matches the target' },
  too_large: { status: 413, retryable: false, meaning: 'the request is larger than can be carried' },
  not_supported: { status: 422, retryable: false, meaning: 'valid, but this version cannot do it' },
  internal: { status: 500, retryable: true, meaning: 'a fault in Skein; its log has more' },
  unavailable: { status: 503, retryable: true, meaning: 'cannot be stored or answered now' },
} as const satisfies Record<string, { status: number; retryable: boolean; meaning: string }>

export type ErrorCode = keyof typeof errorCodes

/** One fault of the input: which field, what is wrong, what would be accepted. */
export const FieldFault = z.object({
  field: z.string(),
  code: z.string(),
  message: z.string(),
  accepted: z.array(z.string()).optional(),
})
export type FieldFault = z.infer<typeof FieldFault>

/** A refusal as it travels by every door. */
export const WireError = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  details: z.array(FieldFault).optional(),
})
export type WireError = z.infer<typeof WireError>

export const wireError = (code: ErrorCode, message: string, details?: FieldFault[]): WireError => ({
  code,
  message,
  retryable: errorCodes[code].retryable,
  ...(details && details.length > 0 ? { details } : {}),
})

/** What an operation gives: a value, or a refusal that we expected. */
export type Outcome<T> = { ok: true; output: T } | { ok: false; error: WireError }

export const accepted = <T>(output: T): Outcome<T> => ({ ok: true, output })
export const refused = (code: ErrorCode, message: string, details?: FieldFault[]): { ok: false; error: WireError } => ({
  ok: false,
  error: wireError(code, message, details),
})
