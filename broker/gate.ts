import { isLoopback } from '../base/config-faults.ts'
import type { Limits } from './limits.ts'

/** Counts connections, so that nobody takes all the places. */
export interface Gate<C> {
  /** Whether there is room for one more from this address; if not, why. */
  faultOf(address: string): string | undefined
  /** Lets a connection in. It has not said anything yet. Gives the one that has to make room for it, if there is one. */
  enter(connection: C, address: string): C | undefined
  /** It has sent its CONNECT. */
  spoke(connection: C): void
  leave(connection: C, address: string): void
  count(): number
}

export const createGate = <C>(limits: Limits): Gate<C> => {
  const inside = new Set<C>()
  const silent = new Set<C>() // the oldest first
  const byAddress = new Map<string, number>()
  return {
    faultOf: (address) => {
      if (inside.size >= limits.connections) return 'there are too many connections'
      // Everything of one machine has the address of loopback, a whole simulated fleet too.
      if (!isLoopback(address.replace(/^::ffff:/, '')) && (byAddress.get(address) ?? 0) >= limits.connectionsPerAddress)
        return 'there are too many connections from this address'
      return undefined
    },
    enter: (connection, address) => {
      const oldest = silent.size >= limits.silentConnections ? silent.values().next().value : undefined
      inside.add(connection)
      silent.add(connection)
      byAddress.set(address, (byAddress.get(address) ?? 0) + 1)
      return oldest
    },
    spoke: (connection) => {
      silent.delete(connection)
    },
    leave: (connection, address) => {
      if (!inside.delete(connection)) return
      silent.delete(connection)
      const left = (byAddress.get(address) ?? 1) - 1
      if (left > 0) byAddress.set(address, left)
      else byAddress.delete(address)
    },
    count: () => inside.size,
  }
}
