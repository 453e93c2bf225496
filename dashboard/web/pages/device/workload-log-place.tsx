import type { ComponentType } from 'preact'
import { lazy } from 'preact-iso'
import { Empty } from '../../parts/empty.tsx'

interface WorkloadLogProps {
  device: string
  workload: string
}

const [load] = Object.values(
  import.meta.glob<ComponentType<WorkloadLogProps>>('../../log/workload-log.tsx', { import: 'WorkloadLog' }),
)

/** Where the log of a workload is shown. */
export const WorkloadLogPlace: ComponentType<WorkloadLogProps> = load
  ? lazy(load)
  : ({ device, workload }) => (
      <Empty icon="logs" title="The log is read on the command line">
        <div class="command">
          <code>
            skein workload logs {workload} --device {device} --follow
          </code>
        </div>
      </Empty>
    )
