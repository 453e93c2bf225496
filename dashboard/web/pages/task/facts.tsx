import type { ComponentChildren } from 'preact'
import type { Run, Task } from '../../../../schemas/task.ts'
import { bytesText, plural } from '../../format/amounts.ts'
import { wordOf } from '../../format/states.ts'
import { isOver } from '../../format/task-states.ts'
import { Icon } from '../../parts/icon.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Since, Time } from '../../parts/time.tsx'

/** The few facts that most people look for first: where, how it ended, how long it took, how much it wrote. */
export const Facts = ({ task, run }: { task: Task; run: Run | undefined }) => {
  const from = run ? run.started_at : task.started_at
  return (
    <>
      <dl class="task-facts">
        {run && (
          <Fact name="Device">
            <a href={`/fleet/${run.device}`}>
              <Plain text={run.device} cut />
            </a>
          </Fact>
        )}
        {run && task.attempt > 1 && task.target.fanout !== 'all' && (
          <Fact name="Attempt">
            {run.attempt} <span class="muted">of {task.attempt}</span>
          </Fact>
        )}
        <Fact name="Exit">{exitWords(run ?? { ...task, signal: null })}</Fact>
        <Fact name={isOver(task.state) ? 'Took' : 'Runs for'}>
          <Since from={from} to={run ? run.ended_at : task.ended_at} />
        </Fact>
        {from === null ? (
          <Fact name="Submitted">
            <Time at={task.created_at} />
          </Fact>
        ) : (
          <Fact name="Started">
            <Time at={from} />
          </Fact>
        )}
        {run?.log && <Fact name="Output">{`${plural(run.log.lines, 'line')}, ${bytesText(run.log.bytes)}`}</Fact>}
      </dl>
      {run?.confirmed === false && (
        <Note>The device has not confirmed yet that its processes are gone. It may still be running there.</Note>
      )}
      {run?.late && (
        <Note>
          After that the device said that it had {run.late.state === 'lost' ? 'been lost' : wordOf(run.late.state)}{' '}
          <Time at={run.late.at} />. What had been decided stays.
        </Note>
      )}
      {run?.log && run.log.dropped_lines > 0 && (
        <Note>{`${plural(run.log.dropped_lines, 'line')} of its output were not kept; the log shows where.`}</Note>
      )}
    </>
  )
}

const Fact = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

const Note = ({ children }: { children: ComponentChildren }) => (
  <p class="task-note">
    <Icon name="warning" size={16} />
    <span>{children}</span>
  </p>
)

const exitWords = ({ signal, exit_code }: Pick<Run, 'signal' | 'exit_code'>): ComponentChildren =>
  signal === null ? (
    (exit_code ?? '–')
  ) : (
    <>
      ended by <Plain text={signal} />
    </>
  )
