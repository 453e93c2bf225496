import type {
  ApprovalsShown,
  Beat,
  DeploymentsChange,
  DeviceShown,
  FleetChange,
  FleetRow,
  FleetShown,
  Overview,
  TaskChange,
  TasksChange,
  View,
} from '../../../schemas/dashboard.ts'

/** The devices by their numbers. */
export type FleetRows = ReadonlyMap<number, FleetRow>

/** What is known of each view that shows a state. Of what only rings it is the last change, null before there was one. */
export interface LiveData {
  overview: Overview
  fleet: FleetRows
  device: DeviceShown
  tasks: TasksChange | null
  task: TaskChange | null
  deployments: DeploymentsChange | null
  deployment: DeploymentsChange | null
  approvals: ApprovalsShown
}
export type StateView = Extract<View, { view: keyof LiveData }>

/** What a view shows first. The server's own word: its types are the contract, and nothing is checked twice. */
export const shownFirst = (view: keyof LiveData, data: unknown): unknown => {
  switch (view) {
    case 'fleet':
      return new Map((data as FleetShown).rows.map((row) => [row.n, row])) // what `fleet` is shown with
    case 'tasks':
    case 'task':
    case 'deployments':
    case 'deployment':
      return null
    case 'overview':
    case 'device':
    case 'approvals':
      return data
  }
}

/** What a view shows after a change. */
export const shownNext = (view: keyof LiveData, before: unknown, change: unknown, at: number): unknown => {
  switch (view) {
    case 'fleet':
      return mergeFleet(before as FleetRows, change as FleetChange, at) // made by `shownFirst`; what `fleet` is changed by
    case 'overview':
    case 'device':
      return { ...(before as object), ...(change as object) } // fields that are not as they were
    case 'tasks':
    case 'task':
    case 'deployments':
    case 'deployment':
    case 'approvals':
      return change
  }
}

/** The fleet after a change: rows that are new or not as they were, then beats, then those that have gone. */
export const mergeFleet = (before: FleetRows, { rows = [], beats = [], gone = [] }: FleetChange, at: number): FleetRows => {
  const after = new Map(before)
  for (const row of rows) after.set(row.n, row)
  for (const beat of beats) {
    const row = after.get(beat[0])
    if (row) after.set(row.n, withBeat(row, beat, at))
  }
  for (const n of gone) after.delete(n)
  return after
}

const withBeat = (row: FleetRow, [, cpu, memory, disk, temperature, running]: Beat, at: number): FleetRow => ({
  ...row,
  cpu,
  memory,
  disk,
  temperature,
  running,
  last_seen_at: at,
})
