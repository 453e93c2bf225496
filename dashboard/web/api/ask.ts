import type { Outcome, WireError } from '../../../schemas/errors.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** Asks the controller for one operation, at its REST path below `/api/v1`. A refusal is a value, and so is a broken connection. */
export type Ask = <T>(method: Method, path: string, body?: unknown, signal?: AbortSignal) => Promise<Outcome<T>>

/** Returns what asks with the session of this browser; `onUnauthorized` hears that there is none any more. */
export const createAsk =
  (onUnauthorized: () => void): Ask =>
  async <T>(method: Method, path: string, body?: unknown, signal?: AbortSignal) => {
    const outcome = await send<T>(method, `/api/v1${path}`, body, signal)
    if (!outcome.ok && outcome.error.code === 'unauthorized') onUnauthorized()
    return outcome
  }

/** One request to our own server. */
export const send = async <T>(method: Method, url: string, body?: unknown, signal?: AbortSignal): Promise<Outcome<T>> => {
  try {
    const response = await fetch(url, {
      method,
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
    if (response.status === 204) return { ok: true, output: undefined as T } // who asks for what has no answer expects none
    const answer: unknown = await response.json()
    if (response.ok) return { ok: true, output: answer as T } // the operation's output is the contract
    const { error } = answer as { error?: WireError } // the form of every refusal
    return { ok: false, error: error ?? unavailable(`The server answered ${response.status}`) }
  } catch (error) {
    return { ok: false, error: unavailable(`Skein cannot be reached: ${error instanceof Error ? error.message : String(error)}`) }
  }
}

const unavailable = (message: string): WireError => ({ code: 'unavailable', message, retryable: true })

/** What is wrong with a field of a form, if a refusal names it: the field itself, or one below it. */
export const faultOf = (error: WireError | null, field: string): string | undefined =>
  error?.details?.find((fault) => fault.field === field || fault.field.startsWith(`${field}.`))?.message

/** A path with a query: what is undefined or empty is left out. */
export const withQuery = (path: string, query: Readonly<Record<string, string | number | undefined>>): string => {
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') given.set(name, String(value))
  const text = given.toString()
  return text === '' ? path : `${path}?${text}`
}

/** The path of a list from where a page of it has ended. */
export const withCursor = (path: string, cursor: string | null): string =>
  cursor === null ? path : `${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`
