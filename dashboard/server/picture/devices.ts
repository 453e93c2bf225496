import type { Beat, DeviceShown, FleetChange, FleetRow } from '../../../schemas/dashboard.ts'
import type { Device } from '../../../schemas/device.ts'
import type { DeviceInfo, DeviceState, Heartbeat } from '../../../schemas/exchange.ts'
import { presenceOf, staleAfterMs } from '../../../schemas/presence.ts'
import type { Reported } from '../../../schemas/workload-status.ts'

/** What is known of one device: what the controller says of it, and what it says itself. */
interface Known {
  n: number
  facts: Device
  isConnected: boolean
  heardAtMono: number
  metrics: Readonly<Record<string, unknown>> | null
  running: readonly string[]
  /** How many the controller knew of; null since a heartbeat has named them. */
  ranBefore: number | null
  refuses: string | null
  capabilities: readonly string[]
  reported: Reported | null
  workloads: FleetRow['workloads']
  /** As it was shown last; what it is now is compared with that. */
  state: FleetRow['state']
}

const noWorkloads = { total: 0, running: 0, failed: 0 }
const failing = new Set(['failed', 'crash_loop'])

/**
 * The devices of a fleet as they are now. The controller's list says which there are and what only it knows; the topics of the devices
 * keep it live. Times in `mono` are of the server's monotonic clock, `now` of its wall clock.
 */
export const createDevices = () => {
  const byName = new Map<string, Known>()
  /** Heard of before the controller's list had them: kept until it does. */
  const early = new Map<string, { info?: DeviceInfo; reported?: Reported }>()
  let nextNumber = 1
  const changedRows = new Set<Known>()
  const beaten = new Set<Known>()
  const gone: number[] = []
  const changedDevices = new Set<string>()

  const changed = (known: Known): void => {
    changedRows.add(known)
    changedDevices.add(known.facts.device)
  }

  const judge = (known: Known, mono: number): void => {
    const state = presenceOf(known.isConnected, mono - known.heardAtMono)
    if (state === known.state) return
    known.state = state
    changed(known)
  }

  const rowOf = (known: Known, now: number, mono: number): FleetRow => ({
    n: known.n,
    device: known.facts.device,
    state: known.state,
    reason:
      known.state === 'stale'
        ? `silent for ${Math.round((mono - known.heardAtMono) / 1000)} s (stale after ${staleAfterMs / 1000} s)`
        : null,
    labels: known.facts.labels,
    capacity: known.facts.capacity,
    running: runningOf(known),
    drained: known.facts.drained,
    version: known.facts.version,
    joined_at: Date.parse(known.facts.joined_at),
    last_seen_at: lastSeenAt(known, now, mono),
    ...figuresOf(known.metrics),
    workloads: known.workloads,
  })

  /** `askedMono`: when the controller was asked for it; what was heard since then is newer. */
  const put = (facts: Device, now: number, mono: number, askedMono = mono): void => {
    const known = byName.get(facts.device)
    if (known) {
      const isSame = JSON.stringify(staticOf(known.facts)) === JSON.stringify(staticOf(facts))
      known.facts = facts
      // The controller judges by what it has heard itself: a device may have gone while nobody here listened.
      if (facts.state === 'offline') known.isConnected = known.isConnected && known.heardAtMono > askedMono
      else if (!known.isConnected) known.isConnected = true
      if (known.metrics === null && facts.metrics !== null) known.metrics = facts.metrics
      if (!isSame) changed(known)
      return judge(known, mono)
    }
    const seenAt = facts.last_seen_at === null ? Number.NEGATIVE_INFINITY : Date.parse(facts.last_seen_at)
    const fresh: Known = {
      n: nextNumber++,
      facts,
      isConnected: facts.state !== 'offline',
      heardAtMono: mono - Math.max(0, now - seenAt),
      metrics: facts.metrics,
      running: [],
      ranBefore: facts.running,
      refuses: null,
      capabilities: [],
      reported: null,
      workloads: noWorkloads,
      state: facts.state,
    }
    byName.set(facts.device, fresh)
    const waiting = early.get(facts.device)
    early.delete(facts.device)
    if (waiting?.info) fresh.capabilities = waiting.info.capabilities ?? []
    if (waiting?.reported) report(fresh, waiting.reported)
    changed(fresh)
  }

  const report = (known: Known, reported: Reported): void => {
    if (known.reported && known.reported.journal === reported.journal && reported.seq < known.reported.seq) return
    known.reported = reported
    known.workloads = {
      total: reported.workloads.length,
      running: reported.workloads.filter(({ state }) => state === 'running').length,
      failed: reported.workloads.filter(({ state }) => failing.has(state)).length,
    }
    changed(known)
  }

  const remove = (name: string): void => {
    const known = byName.get(name)
    if (!known) return
    byName.delete(name)
    changedRows.delete(known)
    beaten.delete(known)
    gone.push(known.n)
    changedDevices.add(name)
  }

  const withKnown = (name: string, use: (known: Known) => void): void => {
    const known = byName.get(name)
    if (known) use(known)
  }

  return {
    /** The controller's whole list: whatever is not in it has gone. */
    list: (devices: readonly Device[], now: number, mono: number, askedMono = mono): void => {
      const names = new Set(devices.map(({ device }) => device))
      for (const name of [...byName.keys()]) if (!names.has(name)) remove(name)
      for (const device of devices) put(device, now, mono, askedMono)
      for (const name of early.keys()) if (!names.has(name)) early.delete(name)
    },
    put,
    remove,
    /** `isKept`: the broker had it from before, so it is no sign of life now. */
    state: (name: string, said: DeviceState, mono: number, isKept = false): void =>
      withKnown(name, (known) => {
        known.isConnected = said.state === 'online'
        if (known.isConnected && !isKept) known.heardAtMono = mono
        judge(known, mono)
      }),
    info: (name: string, said: DeviceInfo): void => {
      const known = byName.get(name)
      if (!known) return void early.set(name, { ...early.get(name), info: said })
      known.capabilities = said.capabilities ?? []
      changedDevices.add(name)
    },
    heartbeat: (name: string, beat: Heartbeat, mono: number): void =>
      withKnown(name, (known) => {
        const refuses = beat.refuses ?? null
        if (refuses !== known.refuses) changed(known)
        known.refuses = refuses
        known.isConnected = true
        known.heardAtMono = mono
        known.running = beat.running
        known.ranBefore = null
        if (beat.metrics) known.metrics = beat.metrics
        beaten.add(known)
        changedDevices.add(name)
        judge(known, mono)
      }),
    reported: (name: string, reported: Reported): void => {
      const known = byName.get(name)
      if (known) report(known, reported)
      else early.set(name, { ...early.get(name), reported })
    },
    /** What a device has said last of the releases on it. */
    releasesOf: (name: string): NonNullable<Reported['releases']> => byName.get(name)?.reported?.releases ?? [],
    /** Those that have been silent for too long are seen so. */
    age: (mono: number): void => {
      for (const known of byName.values()) judge(known, mono)
    },
    has: (name: string): boolean => byName.has(name),
    rows: (now: number, mono: number): FleetRow[] => [...byName.values()].map((known) => rowOf(known, now, mono)),
    each: (): IterableIterator<Known> => byName.values(),
    device: (name: string, now: number, mono: number): DeviceShown => {
      const known = byName.get(name)
      if (!known) return { row: null, metrics: null, capabilities: [], running: [], refuses: null, reported: null }
      const { reported } = known
      return {
        row: rowOf(known, now, mono),
        metrics: known.metrics,
        capabilities: known.capabilities,
        running: known.running,
        refuses: known.refuses,
        reported: reported && {
          at: reported.at,
          revision: reported.revision,
          is_partial: reported.is_partial === true,
          workloads: reported.workloads,
          releases: reported.releases ?? [],
        },
      }
    },
    counts: (): { online: number; stale: number; offline: number; drained: number } => {
      const counts = { online: 0, stale: 0, offline: 0, drained: 0 }
      for (const known of byName.values()) {
        counts[known.state] += 1
        if (known.facts.drained) counts.drained += 1
      }
      return counts
    },
    /** What has changed since the last time; undefined if nothing has. */
    take: (now: number, mono: number): { fleet: FleetChange | undefined; devices: ReadonlySet<string> } => {
      const rows = [...changedRows].map((known) => rowOf(known, now, mono))
      const beats = [...beaten].filter((known) => !changedRows.has(known)).map(beatOf)
      const fleet = {
        ...(rows.length > 0 ? { rows } : {}),
        ...(beats.length > 0 ? { beats } : {}),
        ...(gone.length > 0 ? { gone: [...gone] } : {}),
      }
      const devices = new Set(changedDevices)
      changedRows.clear()
      beaten.clear()
      gone.length = 0
      changedDevices.clear()
      return { fleet: Object.keys(fleet).length > 0 ? fleet : undefined, devices }
    },
    clear: (): void => {
      byName.clear()
      early.clear()
      changedRows.clear()
      beaten.clear()
      gone.length = 0
      changedDevices.clear()
    },
  }
}
export type Devices = ReturnType<typeof createDevices>
export type KnownDevice = Known

const staticOf = ({ labels, capacity, drained, version, joined_at }: Device) => [labels, capacity, drained, version, joined_at]

const lastSeenAt = (known: Known, now: number, mono: number): number | null =>
  Number.isFinite(known.heardAtMono) ? Math.round(now - (mono - known.heardAtMono)) : null

const runningOf = ({ running, ranBefore }: Known): number => ranBefore ?? running.length

const beatOf = (known: Known): Beat => {
  const { cpu, memory, disk, temperature } = figuresOf(known.metrics)
  return [known.n, cpu, memory, disk, temperature, runningOf(known)]
}

/** The figures that are shown of a device's metrics: whole percents, and degrees. */
export const figuresOf = (
  metrics: Readonly<Record<string, unknown>> | null,
): Pick<FleetRow, 'cpu' | 'memory' | 'disk' | 'temperature'> => ({
  cpu: whole(metrics?.['cpu_percent']),
  memory: share(metrics?.['memory_used_mb'], metrics?.['memory_total_mb']),
  disk: share(metrics?.['disk_used_mb'], metrics?.['disk_total_mb']),
  temperature: whole(metrics?.['temperature_celsius']),
})

const whole = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? Math.round(value) : null)
const share = (used: unknown, total: unknown): number | null =>
  typeof used === 'number' && typeof total === 'number' && total > 0 ? Math.round((100 * used) / total) : null
