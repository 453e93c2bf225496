import type { WorkloadStatus } from '../../schemas/workload-status.ts'

/** A service that runs, but for what is given. */
export const workloadNamed = (name: string, over: Partial<WorkloadStatus> = {}): WorkloadStatus => ({
  name,
  type: 'service',
  run_mode: 'forever',
  version: null,
  tags: [],
  origin: 'local',
  state: 'running',
  reason: null,
  health: null,
  pid: 4711,
  run_id: `d1-${name}`,
  run_count: 1,
  failures: 0,
  last_exit_code: null,
  last_error: null,
  last_started_at: '2026-01-01T00:00:00.000Z',
  last_ended_at: null,
  next_at: null,
  memory_mb: 12,
  digest: 'x',
  ...over,
})
