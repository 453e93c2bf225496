import type { FleetRow } from '../../schemas/dashboard.ts'

/** The `n`-th device of a fleet, named `pi-n`. */
export const fleetRow = (n: number, over: Partial<FleetRow> = {}): FleetRow => ({
  n,
  device: `pi-${n}`,
  state: 'online',
  reason: null,
  labels: {},
  capacity: 4,
  running: 0,
  drained: false,
  version: '1',
  joined_at: 0,
  last_seen_at: n,
  cpu: null,
  memory: null,
  disk: null,
  temperature: null,
  workloads: { total: 0, running: 0, failed: 0 },
  ...over,
})
