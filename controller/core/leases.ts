/**
 * A lease is the record that a run occupies a device. Anything from the device that names the run renews it. Its age counts on
 * the monotonic clock and only while the controller is connected; whoever was not listening starts it anew.
 */
export type LeaseVerdict = 'held' | 'unknown' | 'lost'

/** A device is silent after three missed heartbeats and 10 s. */
export const silentAfterMs = (heartbeatMs: number): number => 3 * heartbeatMs + 10_000

export const leaseVerdict = (ageMs: number, heartbeatMs: number, lostAfterMs: number): LeaseVerdict => {
  const silent = silentAfterMs(heartbeatMs)
  if (ageMs >= silent + lostAfterMs) return 'lost'
  return ageMs >= silent ? 'unknown' : 'held'
}

/** How long after a request the controller shows a cancel as done although the device has not confirmed it. */
export const cancelUnconfirmedAfterMs = 30_000

/** What has not been answered is sent again: after 10 s, doubling to 60. */
export const resendAfterMs = (sends: number): number => Math.min(60_000, 10_000 * 2 ** Math.max(0, sends - 1))
