/**
 * What a run gives out is numbered in streams of its own: `log:<run>` has its lines, `agent:<run>` the events of an agent. Where both are kept side by side
 * the one is known by the name of the run, as the log of a workload is by that of the workload, and the other by `agent:` before it: its source.
 */
const events = 'agent:'
const log = 'log:'

export const eventsOf = (run: string): string => `${events}${run}`
export const isEvents = (source: string): boolean => source.startsWith(events)
/** The run that a source is of. */
export const runOfSource = (source: string): string => (isEvents(source) ? source.slice(events.length) : source)

export const streamOf = (source: string): string => (isEvents(source) ? source : `${log}${source}`)
/** The source of a stream; undefined for one that has none, such as `runs`. */
export const sourceOf = (stream: string): string | undefined =>
  stream.startsWith(log) ? stream.slice(log.length) : isEvents(stream) ? stream : undefined
