// A health check: a file was written lately, as in health: { plugin: freshness, params: { path: /var/lib/app/heartbeat, within_seconds: 60 } }
import { stat } from 'node:fs/promises'

const freshness = async ({ params }) => {
  const { path, within_seconds: within = 60 } = params
  if (typeof path !== 'string') throw new Error('params.path must be the path of a file')
  const { mtimeMs } = await stat(path)
  const seconds = Math.round((Date.now() - mtimeMs) / 1000)
  return { healthy: seconds <= within, details: `${path} was written ${seconds} s ago` }
}

export const healthChecks = { freshness }
