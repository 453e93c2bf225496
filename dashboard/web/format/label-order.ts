/** What every device says of itself. */
const isFact = (key: string): boolean => key === 'os' || key === 'arch' || key === 'hostname' || key.startsWith('agent.')

/** Labels in the order in which they are shown: what people have given before what every device says of itself. */
export const orderedLabels = (labels: Readonly<Record<string, string>>): [key: string, value: string][] =>
  Object.entries(labels)
    // Draining is shown by a sign of its own.
    .filter(([key]) => key !== 'drained')
    .sort(([a], [b]) => Number(isFact(a)) - Number(isFact(b)) || (a < b ? -1 : 1))
