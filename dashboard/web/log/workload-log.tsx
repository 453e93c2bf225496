import { LogView } from './log-view.tsx'
import { useLog } from './use-log.ts'

/** The log of a workload, from its last lines on. */
export const WorkloadLog = ({ device, workload }: { device: string; workload: string }) => {
  const log = useLog({ view: 'workload-log', device, workload, after: 0 })
  const download = `/dashboard/devices/${encodeURIComponent(device)}/workloads/${encodeURIComponent(workload)}/log`
  return <LogView log={log} label={`Log of ${workload} on ${device}`} download={download} empty="It has written nothing yet." />
}
