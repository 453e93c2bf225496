import { useState } from 'preact/hooks'
import type { Run } from '../../../../schemas/task.ts'
import { countText, plural } from '../../format/amounts.ts'
import { wordOf } from '../../format/states.ts'
import { Card } from '../../parts/card.tsx'
import { Paging } from '../../parts/paging.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Segments } from '../../parts/segments.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Since } from '../../parts/time.tsx'

interface RunsProps {
  runs: readonly Run[]
  chosen: string | undefined
  isFanout: boolean
  hasMore: boolean
  isLoading: boolean
  onMore: () => void
  hrefOf: (run: string) => string
}

const first = 10

/** The runs of a task: its attempts, or those on the devices of a fan-out. One of them is chosen. */
export const Runs = ({ runs, chosen, isFanout, hasMore, isLoading, onMore, hrefOf }: RunsProps) => {
  const [state, setState] = useState('')
  const [most, setMost] = useState(first)
  const counts = new Map<string, number>()
  for (const run of runs) counts.set(run.state, (counts.get(run.state) ?? 0) + 1)
  // What is in force is shown, also when nothing is left of it.
  if (state !== '' && !counts.has(state)) counts.set(state, 0)
  const fitting = runs.filter((run) => state === '' || run.state === state)
  // Of attempts the last one counts, of devices each.
  const ordered = isFanout ? fitting : fitting.toReversed()
  const columns: readonly Column<Run>[] = [
    {
      title: isFanout ? 'Device' : 'Attempt',
      cell: (run) => (
        <a class="run-link" href={hrefOf(run.run_id)} data-row aria-current={run.run_id === chosen ? 'true' : undefined}>
          {isFanout ? <Plain text={run.device} cut /> : `${run.attempt} on ${run.device}`}
        </a>
      ),
    },
    { title: 'State', cell: (run) => <State state={run.state} title={run.reason} /> },
    {
      title: 'Why',
      wide: true,
      cell: (run) =>
        run.reason === null ? (
          <span class="muted">–</span>
        ) : (
          <span class="run-why">
            <Plain text={run.reason} cut />
          </span>
        ),
    },
    {
      title: 'Exit',
      align: 'right',
      cell: (run) => <span class="number">{run.signal === null ? (run.exit_code ?? '–') : <Plain text={run.signal} cut />}</span>,
    },
    { title: 'Took', align: 'right', cell: (run) => <Since from={run.started_at} to={run.ended_at} /> },
  ]
  return (
    <Card
      title={isFanout ? `Runs on ${hasMore ? 'more than ' : ''}${plural(runs.length, 'device')}` : plural(runs.length, 'attempt')}
      flush
      aside={
        (counts.size > 1 || state !== '') && (
          <Segments
            label="State"
            value={state}
            options={[
              { value: '', label: 'All' },
              ...[...counts].map(([one, count]) => ({ value: one, label: `${wordOf(one)} ${countText(count)}` })),
            ]}
            onChange={setState}
          />
        )
      }
    >
      <Table caption="Runs" columns={columns} rows={ordered.slice(0, most)} rowKey={(run) => run.run_id} />
      {(ordered.length > first || hasMore) && (
        <Paging
          shown={`${countText(Math.min(most, ordered.length))} of ${countText(ordered.length)}${hasMore ? ' or more' : ''}`}
          hasMore={most < ordered.length || hasMore}
          isLoading={isLoading && most >= ordered.length}
          onMore={() => {
            setMost(most + 50)
            if (most + 50 >= ordered.length && hasMore) onMore()
          }}
        />
      )}
    </Card>
  )
}
