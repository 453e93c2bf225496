import { useRef } from 'preact/hooks'
import type { FleetRow } from '../../../../schemas/dashboard.ts'
import { type Direction, inOrder, type Sort, sortDevices } from './choose.ts'

/** Rows that change places under the pointer cannot be read: what changes by itself is put in order only so often. */
const calmMs = 3_000

/** Devices in the order that was asked for. `choice` names the filters: with others the order is found at once. */
export const useOrder = (rows: readonly FleetRow[], sort: Sort, direction: Direction, choice: string): FleetRow[] => {
  const kept = useRef({ key: '', at: 0, order: [] as readonly number[] })
  const key = JSON.stringify([sort, direction, choice, rows.length])
  const now = performance.now()
  if (kept.current.key === key && now - kept.current.at < calmMs) return inOrder(rows, kept.current.order)
  const sorted = sortDevices(rows, sort, direction)
  kept.current = { key, at: now, order: sorted.map((row) => row.n) }
  return sorted
}
