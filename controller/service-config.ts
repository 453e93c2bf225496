import { certificateHashOf } from '../base/pinned-certificate.ts'
import type { Config } from '../base/settings.ts'
import type { ControllerServiceOptions } from './service.ts'

/** What the controller takes from the settings, the same in the hub and apart. */
export const serviceOptionsOf = (
  config: Config<'hub'> | Config<'controller'>,
): Pick<
  ControllerServiceOptions,
  'data' | 'fleet' | 'certificate' | 'heartbeatSeconds' | 'metricsOpen' | 'retention' | 'keepMetricsMs'
> => ({
  data: config.data,
  fleet: config.fleet,
  certificate: () => certificateHashOf(config),
  heartbeatSeconds: config.heartbeat_seconds,
  metricsOpen: config.metrics_open,
  keepMetricsMs: config.keep_metrics_seconds * 1000,
  retention: {
    taskAgeMs: config.keep_tasks_seconds * 1000,
    taskCount: config.keep_tasks,
    logAgeMs: config.keep_logs_seconds * 1000,
    logBytes: config.keep_logs_mb * 1024 * 1024,
  },
})
