import { readWorkloadFiles } from '../base/workload-files/read.ts'
import { bombs } from '../test/unit/yaml-bombs.ts'
import type { BenchPart } from './part.ts'
import { printTable, rounded } from './statistics.ts'

/** So soon a file has to be refused that was made to take long. */
const mostMs = 200
const rounds = 5
const shown = 8

/** How long the worst of the files takes that are made to take time or memory, until it is refused. */
export const validate: BenchPart = {
  about: 'YAML and templates that are made to take long, refused, beside the 200 ms that are allowed',
  run: async () => {
    const times = Object.entries(bombs).map(([name, text]) => {
      const ms = Array.from({ length: rounds }, () => {
        const from = performance.now()
        const read = readWorkloadFiles([{ path: 'bomb.yaml', text }], { env: {}, device: undefined })
        if (read.ok) throw new Error(`The bomb "${name}" was not refused`)
        return performance.now() - from
      })
      return { name, ms: Math.min(...ms) }
    })
    const slowest = times.sort((a, b) => b.ms - a.ms)
    printTable([['bomb', 'ms'], ...slowest.slice(0, shown).map(({ name, ms }) => [name, rounded(ms)])])
    const worst = slowest[0]?.ms ?? 0
    return { ratio: rounded(mostMs / worst), must: 1, worst_ms: rounded(worst), bombs: slowest.length }
  },
}
