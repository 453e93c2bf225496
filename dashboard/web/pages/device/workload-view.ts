const views = ['log', 'runs', 'facts'] as const
export type WorkloadView = (typeof views)[number]

/** The workload that the address of a device's page names, and what of it is shown: `?log=watcher`. */
export const workloadViewIn = (query: Readonly<Record<string, string>>): { name: string; view: WorkloadView } | undefined => {
  const view = views.find((one) => query[one])
  const name = view && query[view]
  return view && name ? { name, view } : undefined
}
