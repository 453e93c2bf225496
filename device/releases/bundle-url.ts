import type { IncomingMessage } from 'node:http'
import type { PartFile } from './part-file.ts'

export interface UrlOrder {
  url: string
  size: number
  part: PartFile
  signal: AbortSignal
  progressed: () => void
  /** So long nothing may come. */
  idleMs?: number
}

const mostRedirects = 3
const usualIdleMs = 30_000

/** Brings the rest of a bundle from a web server. Gives why it could not; undefined if all of it is there, or is not wanted any more. */
export const fetchFromUrl = async (order: UrlOrder): Promise<string | undefined> => {
  const { part, size, signal } = order
  try {
    await bring(order)
    return signal.aborted || part.at() === size ? undefined : `it ended after ${part.at()} of ${size} bytes`
  } catch (error) {
    if (signal.aborted) return undefined
    // A disk without room is no fault of the server.
    if (error instanceof Error && 'syscall' in error && error.syscall === 'write' && isOfDisk(error)) throw error
    return error instanceof Error ? error.message : String(error)
  }
}

const isOfDisk = (error: Error): boolean => 'code' in error && /^(ENOSPC|EDQUOT|EIO|EROFS)$/.test(String(error.code))

const bring = async ({ url, part, size, signal, progressed, idleMs = usualIdleMs }: UrlOrder): Promise<void> => {
  const response = await openFollowing(url, part.at(), signal, idleMs)
  // A server that knows no ranges begins at the beginning.
  if (response.statusCode === 200) part.restart()
  else if (startOf(response) !== part.at()) throw new Error('it sends another part than it was asked for')
  for await (const chunk of response) {
    const bytes = chunk as Buffer // of a stream without an encoding
    if (part.at() + bytes.length > size) {
      response.destroy()
      throw new Error(`it sends more than ${size} bytes`)
    }
    part.write(bytes)
    progressed()
  }
}

const openFollowing = async (first: string, from: number, signal: AbortSignal, idleMs: number): Promise<IncomingMessage> => {
  let url = new URL(first)
  for (let redirects = 0; ; redirects++) {
    const response = await open(url, from, signal, idleMs)
    const { statusCode = 0 } = response
    if (statusCode === 206 || statusCode === 200) return response
    response.resume()
    const next = response.headers.location
    if (![301, 302, 303, 307, 308].includes(statusCode) || next === undefined)
      throw new Error(`${url.host} answers with status ${statusCode}`)
    if (redirects === mostRedirects) throw new Error(`it leads on more than ${mostRedirects} times`)
    url = new URL(next, url)
  }
}

/** What is not needed before the first of these is not loaded before. */
const open = async (url: URL, from: number, signal: AbortSignal, idleMs: number): Promise<IncomingMessage> => {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error(`it leads to ${url.protocol} which is not followed`)
  const { get } = url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  return new Promise((resolve, reject) => {
    const headers = { 'accept-encoding': 'identity', range: `bytes=${from}-` }
    const request = get(url, { headers, signal, agent: false }, resolve)
    request.setTimeout(idleMs, () => request.destroy(new Error(`nothing came for ${idleMs / 1000} s`)))
    request.on('error', reject)
  })
}

const startOf = ({ headers }: IncomingMessage): number =>
  Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? Number.NaN)
