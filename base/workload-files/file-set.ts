import type { WorkloadSpec } from '../../schemas/workload.ts'
import type { FileFault } from './file-faults.ts'

export interface Located {
  spec: WorkloadSpec
  file: string
  /** The line of one of its fields, and the field as it stands in the file. */
  lineOf: (field: string) => number
  pathOf: (field: string) => string
}

/** What is wrong between workloads: names that are taken, and such as wait for one another. One that is not among them may be on the device already. */
export const faultsOfSet = (entries: readonly Located[]): FileFault[] => [
  ...sameNames(entries),
  ...circles(entries),
  ...endless(entries),
]

const faultAt = ({ file, lineOf, pathOf }: Located, field: string, code: string, message: string): FileFault => ({
  file,
  line: lineOf(field),
  field: pathOf(field),
  code,
  message,
})

const sameNames = (entries: readonly Located[]): FileFault[] => {
  const first = new Map<string, Located>()
  return entries.flatMap((entry) => {
    const { name } = entry.spec
    const other = first.get(name)
    if (!other) first.set(name, entry)
    return other
      ? [
          faultAt(
            entry,
            'name',
            'duplicate',
            `"${name}" is the name of another workload already, in ${other.file}:${other.lineOf('name')}`,
          ),
        ]
      : []
  })
}

/** Goes along what each waits for; who comes upon one that it came from has gone in a circle. */
const circles = (entries: readonly Located[]): FileFault[] => {
  const all = new Map(entries.map((entry) => [entry.spec.name, entry]))
  const done = new Set<string>()
  const faults: FileFault[] = []
  for (const { spec } of entries) {
    const way: { entry: Located; at: number }[] = []
    const onWay = new Set<string>()
    const enter = (name: string): void => {
      const entry = all.get(name)
      if (!entry || done.has(name)) return
      way.push({ entry, at: 0 })
      onWay.add(name)
    }
    enter(spec.name)
    for (let here = way.at(-1); here; here = way.at(-1)) {
      const { name, depends_on } = here.entry.spec
      const at = here.at++
      const next = depends_on[at]?.name
      if (next === undefined) {
        way.pop()
        onWay.delete(name)
        done.add(name)
      } else if (onWay.has(next)) {
        const names = way.map((one) => one.entry.spec.name)
        const circle = [...names.slice(names.indexOf(next)), next].join(' → ')
        faults.push(faultAt(here.entry, `depends_on.${at}`, 'cycle', `closes a circle: ${circle}`))
      } else enter(next)
    }
  }
  return faults
}

/** What is always started again never completes. */
const endless = (entries: readonly Located[]): FileFault[] => {
  const names = new Set(
    entries
      .filter(({ spec }) => spec.run_mode === 'forever' && (spec.restart.policy ?? 'always') === 'always')
      .map(({ spec }) => spec.name),
  )
  return entries.flatMap((entry) =>
    entry.spec.depends_on.flatMap(({ name, condition }, i) =>
      condition === 'completed' && names.has(name)
        ? [faultAt(entry, `depends_on.${i}`, 'never', `waits for "${name}" to complete, which runs forever and never does`)]
        : [],
    ),
  )
}
