import type { Will } from '../../../base/mqtt-link.ts'
import type { Trial } from './broker.ts'
import { type Check, fail } from './check.ts'
import type { Probe } from './probe-link.ts'

/** Two connections for one check, closed behind it; a broker that does not take them fails the check. `will` is that of the first. */
export const openTwo = async (
  trial: Trial,
  id: string,
  act: (from: Probe, to: Probe) => Promise<Check>,
  will?: Will,
): Promise<Check> => {
  const to = await trial.open()
  const from = await trial.open(will ? { will } : {})
  try {
    if (from.ok && to.ok) return await act(from.probe, to.probe)
    const reason = from.ok ? (to.ok ? '' : to.reason) : from.reason
    const todo = will && to.ok ? 'allow the will' : 'raise its limit of connections (Mosquitto: max_connections)'
    return fail(id, `a connection for it is not taken: ${reason}`, todo)
  } finally {
    if (from.ok) await from.probe.link.end()
    if (to.ok) await to.probe.link.end()
  }
}
