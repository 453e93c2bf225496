/** A waiting row as placement sees it: lower rank first, then lower id, which is age. */
export interface Waiting {
  id: number
  rank: number
  lane: string
}

/** Devices with room and the lanes that they take from. */
export interface Room {
  device: string
  free: number
  lanes: readonly string[]
}

/**
 * Decides which device takes what: each device in turn takes the most urgent, then oldest, of what waits in its lanes, one at a
 * time, so that work spreads. `take(lane)` shows the head of a lane that nobody has taken yet and `pop(lane)` takes it.
 */
export const place = <W extends Waiting>(
  rooms: readonly Room[],
  heads: { peek: (lane: string) => W | undefined; pop: (lane: string) => void },
): { device: string; waiting: W }[] => {
  const placed: { device: string; waiting: W }[] = []
  let open = rooms.filter((room) => room.free > 0).map((room) => ({ ...room }))
  while (open.length > 0) {
    open = open.filter((room) => {
      const best = mostUrgent(room.lanes, heads.peek)
      if (!best) return false
      heads.pop(best.lane)
      placed.push({ device: room.device, waiting: best })
      room.free -= 1
      return room.free > 0
    })
  }
  return placed
}

const mostUrgent = <W extends Waiting>(lanes: readonly string[], peek: (lane: string) => W | undefined): W | undefined => {
  let best: W | undefined
  for (const lane of lanes) {
    const head = peek(lane)
    if (head && (!best || head.rank < best.rank || (head.rank === best.rank && head.id < best.id))) best = head
  }
  return best
}
