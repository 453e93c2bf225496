import type { WorkloadStatus } from '../../../../schemas/workload-status.ts'
import { countText, mibText } from '../../format/amounts.ts'
import { wordOf } from '../../format/states.ts'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { KeyValues } from '../../parts/key-values.tsx'
import { Plain } from '../../parts/plain.tsx'
import { State } from '../../parts/state.tsx'
import { Time } from '../../parts/time.tsx'

/** All that a device says of a workload. */
export const WorkloadFacts = ({ status }: { status: WorkloadStatus | undefined }) =>
  status ? (
    <Card>
      <KeyValues
        facts={[
          ['State', <State state={status.state} />],
          ['Reason', text(status.reason)],
          ['Health', status.health === null ? 'no check' : status.health],
          ['Kind', text([status.type, wordOf(status.run_mode)].join(', '))],
          ['Tags', text(status.tags.join(', '))],
          ['Version', text(status.version)],
          ['Comes from', status.origin === 'local' ? 'the machine itself' : text(status.origin)],
          ['Runs so far', countText(status.run_count)],
          ['Failed in a row', status.failures === 0 ? null : countText(status.failures)],
          ['Last started', time(status.last_started_at)],
          ['Last ended', time(status.last_ended_at)],
          ['Last exit code', status.last_exit_code],
          ['Last error', text(status.last_error)],
          ['Next start', time(status.next_at)],
          ['Process', status.pid],
          ['Memory', status.memory_mb === null ? null : mibText(status.memory_mb)],
          ['Run', status.run_id === null ? null : <Plain text={status.run_id} mono />],
          ['Digest', <Plain text={status.digest} mono />],
        ]}
      />
    </Card>
  ) : (
    <Empty icon="question" title="Its device does not say that it has this workload" />
  )

const text = (value: string | null) => (value === null || value === '' ? null : <Plain text={value} />)
const time = (at: string | null) => (at === null ? null : <Time at={at} />)
