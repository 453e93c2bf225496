/** Lines that are chosen, by index: from the one that was chosen first to the one that was chosen last, which may stand before it. */
export interface Chosen {
  from: number
  to: number
}

/** The lines that the address names: `#L12`, or `#L12-L20`; their numbers begin with 1. */
export const chosenIn = (hash: string): Chosen | null => {
  const [, from, to] = /^#L([1-9]\d{0,8})(?:-L?([1-9]\d{0,8}))?$/.exec(hash) ?? []
  return from === undefined ? null : { from: Number(from) - 1, to: Number(to ?? from) - 1 }
}

/** The same as an address. */
export const hashOf = ({ from, to }: Chosen): string =>
  from === to ? `#L${from + 1}` : `#L${Math.min(from, to) + 1}-L${Math.max(from, to) + 1}`
