import type { DevicePresence } from './device.ts'

/** online: connected and heard of lately; stale: connected but silent for 90 s; offline: it left, or was given up. */
export const presenceOf = (isConnected: boolean, silentMs: number): DevicePresence => {
  if (!isConnected) return 'offline'
  return silentMs >= staleAfterMs ? 'stale' : 'online'
}

export const staleAfterMs = 90_000
