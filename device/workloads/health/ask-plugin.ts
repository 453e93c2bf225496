import { z } from 'zod'
import type { CheckedRun, HealthPlugin } from '../../../base/plugins/read-module.ts'
import type { ProbeResult } from './judge.ts'
import type { Probe } from './probe.ts'

const Answer = z.union([z.boolean(), z.object({ healthy: z.boolean(), details: z.string().optional() })])

/**
 * A check that a plugin makes. Nobody can end it: who aborts goes on without its answer, and while it has not come the plugin is not
 * asked again, so that calls which hang do not pile up.
 */
export const askPlugin = (check: HealthPlugin, run: () => CheckedRun): Probe => {
  let isAsking = false
  const ask = async (): Promise<ProbeResult> => {
    isAsking = true
    try {
      return resultOf(await check(run()))
    } catch (error) {
      return fail(error instanceof Error ? error.message : String(error))
    } finally {
      isAsking = false
    }
  }
  return (signal) => {
    if (isAsking) return Promise.resolve(fail('the plugin has not answered the check before'))
    return new Promise((resolve) => {
      const abort = (): void => resolve(fail('aborted'))
      signal.addEventListener('abort', abort, { once: true })
      void ask().then((result) => {
        signal.removeEventListener('abort', abort)
        resolve(result)
      })
    })
  }
}

const resultOf = (said: unknown): ProbeResult => {
  const { success, data } = Answer.safeParse(said)
  if (!success) return fail('the plugin must answer true, false or { healthy, details? }')
  const { healthy, details } = typeof data === 'boolean' ? { healthy: data, details: undefined } : data
  return healthy
    ? { kind: 'pass' }
    : fail(details === undefined || details === '' ? 'the plugin says that it is not well' : details)
}

const fail = (reason: string): ProbeResult => ({ kind: 'fail', reason })
