import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { Clock } from '../../../base/clock.ts'
import type { Health } from '../../../schemas/workload.ts'
import type { ProbeResult } from './judge.ts'
import { type CommandOptions, runCommand } from './run-command.ts'

/** Performs one check. When it is aborted it ends soon, and has taken back all it has begun; what it then says does not count. */
export type Probe = (signal: AbortSignal) => Promise<ProbeResult>

export interface ProbeDeps {
  /** As the workload itself runs. */
  process: Omit<CommandOptions, 'signal' | 'clock'>
  /** When the workload has written what `log` asks for, on the monotonic clock; null before it has. */
  lastWroteMono: () => number | null
  startedMono: number
  /** The check of a plugin; undefined if it is not there, which says nothing of the workload. */
  askPlugin?: (name: string, params: Record<string, unknown>) => Probe | undefined
  clock: Clock
}

/** The check that a spec asks for. */
export const createProbe = (
  health: Pick<Health, 'command' | 'http' | 'tcp' | 'log' | 'plugin' | 'params'>,
  deps: ProbeDeps,
): Probe => {
  const { command, http, tcp, log, plugin, params = {} } = health
  if (command !== undefined) return (signal) => askCommand(command, { ...deps.process, clock: deps.clock, signal })
  if (http !== undefined) return (signal) => askHttp(new URL(http), signal)
  if (tcp !== undefined) return (signal) => askTcp(tcp, signal)
  if (log !== undefined) return async () => askLog(log.within_seconds * 1000, deps)
  const asked = plugin === undefined ? undefined : deps.askPlugin?.(plugin, params)
  return asked ?? (async () => ({ kind: 'none' }))
}

const pass: ProbeResult = { kind: 'pass' }
const fail = (reason: string): ProbeResult => ({ kind: 'fail', reason })

const askCommand = async (command: string | readonly string[], options: CommandOptions): Promise<ProbeResult> => {
  const { exitCode, exitSignal, failure, output } = await runCommand(command, options)
  if (exitCode === 0) return pass
  if (failure !== null) return fail(`the check could not be run: ${failure}`)
  const how = exitCode === null ? `the check was ended by ${exitSignal}` : `the check ended with exit code ${exitCode}`
  return fail(output === '' ? how : `${how}: ${output}`)
}

/** Passes for a status from 200 to 399: a redirect is an answer, and is not followed. What else is answered is not read. */
const askHttp = (url: URL, signal: AbortSignal): Promise<ProbeResult> =>
  new Promise((resolve) => {
    // Without what is secret in it.
    const shown = `${url.origin}${url.pathname}`
    const settings = { agent: false, signal, headers: { 'user-agent': 'skein-health' } }
    const request =
      // Who asks a service of its own machine whether it is alive does not ask for its papers.
      url.protocol === 'https:' ? httpsRequest(url, { ...settings, rejectUnauthorized: false }) : httpRequest(url, settings)
    request.on('response', (response) => {
      const status = response.statusCode ?? 0
      resolve(status >= 200 && status < 400 ? pass : fail(`${shown} answers with status ${status}`))
      request.destroy()
    })
    // Stays for as long as the request: it may fail once more when it is destroyed.
    request.on('error', (error) => resolve(fail(`${shown}: ${messageOf(error)}`)))
    request.on('close', () => resolve(fail(`${shown}: the connection was closed without an answer`)))
    request.end()
  })

const askTcp = (address: string, signal: AbortSignal): Promise<ProbeResult> =>
  new Promise((resolve) => {
    const colon = address.lastIndexOf(':')
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
    const port = Number(address.slice(colon + 1))
    if (port < 1 || port > 65_535) return resolve(fail(`${address}: there is no such port`))
    const socket = connect({ host, port })
    const end = (result: ProbeResult): void => {
      signal.removeEventListener('abort', abort)
      socket.destroy()
      resolve(result)
    }
    const abort = (): void => end(fail(`${address}: aborted`))
    socket.on('connect', () => end(pass))
    socket.on('error', (error) => end(fail(`${address}: ${messageOf(error)}`)))
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
  })

const askLog = (withinMs: number, { lastWroteMono, startedMono, clock }: ProbeDeps): ProbeResult => {
  const last = lastWroteMono()
  const silentMs = clock.mono() - (last ?? startedMono)
  if (silentMs > withinMs) return fail(`nothing was written for ${Math.round(silentMs / 1000)} s`)
  return last === null ? { kind: 'none' } : pass
}

const messageOf = (error: Error): string =>
  // Where a name has several addresses each has failed, and the message of them all is empty.
  error instanceof AggregateError
    ? error.errors.map((one) => (one instanceof Error ? one.message : String(one))).join(', ')
    : error.message
