import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { FleetRow } from '../../../../schemas/dashboard.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { withQuery } from '../../api/ask.ts'
import { useApi } from '../../api/use-ask.ts'
import type { Series } from '../../charts/scale.ts'

/** The last hour of a device. */
export interface Past {
  cpu: Series
  memory: Series
  disk: Series
}

/** How long somebody stays before the past of what they see is asked for, and how long it is good. */
const settleMs = 200
const goodMs = 60_000
/** As many as one question may name. */
const most = 100

/** The last hour of the devices in sight, and of those that were before. */
export const useSparklines = (): { past: ReadonlyMap<string, Past>; onSight: (rows: readonly FleetRow[]) => void } => {
  const ask = useApi()
  const [past, setPast] = useState<ReadonlyMap<string, Past>>(new Map())
  const askedAt = useRef(new Map<string, number>())
  const seen = useRef<readonly FleetRow[]>([])
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)

  const load = useCallback(async () => {
    const now = performance.now()
    const isOld = (device: string): boolean => now - (askedAt.current.get(device) ?? Number.NEGATIVE_INFINITY) > goodMs
    const devices = seen.current
      .map((row) => row.device)
      .filter(isOld)
      .slice(0, most)
    timer.current = setTimeout(() => void load(), goodMs / 4)
    if (devices.length === 0 || document.visibilityState === 'hidden') return
    for (const device of devices) askedAt.current.set(device, now)
    const outcome = await ask<OutputOf<'device.metrics'>>(
      'GET',
      withQuery('/device-metrics', { devices: devices.join(','), points: 60 }),
    )
    if (!outcome.ok) return
    setPast((before) => {
      const after = new Map(before)
      for (const one of outcome.output.devices)
        after.set(one.device, { cpu: one.cpu_percent, memory: one.memory_percent, disk: one.disk_percent })
      return after
    })
  }, [ask])

  const onSight = useCallback(
    (rows: readonly FleetRow[]) => {
      const isSame = rows.length === seen.current.length && rows.every((row, at) => row.n === seen.current[at]?.n)
      seen.current = rows
      if (isSame) return
      clearTimeout(timer.current)
      timer.current = setTimeout(() => void load(), settleMs)
    },
    [load],
  )
  useEffect(() => () => clearTimeout(timer.current), [])
  return { past, onSight }
}
