import { useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { WireError } from '../../../../schemas/errors.ts'
import type { Task } from '../../../../schemas/task.ts'
import { faultOf } from '../../api/ask.ts'
import { newKey } from '../../api/new-key.ts'
import { useAction, useApi, useAsk } from '../../api/use-ask.ts'
import { whatOf } from '../../format/what.ts'
import { Button } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Command } from '../../parts/command.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Form } from '../../parts/form.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Segments } from '../../parts/segments.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { useSubmitKey } from '../../parts/use-submit-key.ts'
import { useSession } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { commandLineOf } from './command-line.ts'
import type { FieldsProps } from './fields.tsx'
import { OptionFields } from './option-fields.tsx'
import { PlaceFields } from './place-fields.tsx'
import { PreviewCard } from './preview.tsx'
import { draftOf, emptyForm, formOf, hasOptions, missingIn, type TaskForm } from './task-form.ts'
import { useTaskPreview } from './use-preview.ts'
import { AgentFields, CommandFields, ScriptFields } from './work-fields.tsx'
import '../../parts/editor.css'
import './new-task.css'

/** A new task, from the beginning or from an earlier one. */
export const NewTaskPage = () => {
  const { mayAct } = useSession()
  const { query } = useQuery()
  const from = query['from']
  const asked = useAsk<Task>(from === undefined || !mayAct ? null : `/tasks/${encodeURIComponent(from)}`)
  // The last answer stays when the address names another task, or none.
  const base = asked.data?.task_id === from ? asked.data : undefined
  const head = <PageHead title="New task" up={{ href: '/tasks', label: 'Tasks' }} />
  if (!mayAct)
    return (
      <>
        {head}
        <Empty icon="key" title="You may look, but not submit tasks">
          <p>That takes a token of role operator.</p>
        </Empty>
      </>
    )
  if (from !== undefined && !base)
    return (
      <>
        {head}
        {asked.error ? <Fault error={asked.error} /> : <Skeleton lines={8} />}
      </>
    )
  return (
    <>
      {head}
      <TaskEditor key={from ?? ''} base={base} start={startOf(base, query)} />
    </>
  )
}

/** What the form begins with: an earlier task, and what the address says. */
const startOf = (base: Task | undefined, query: Readonly<Record<string, string>>): TaskForm => {
  const form = base ? formOf(base) : emptyForm
  const kind = (['command', 'script', 'agent'] as const).find((one) => one === query['kind'])
  const { device, selector, session } = query
  return {
    ...form,
    ...(kind ? { kind } : {}),
    ...(device === undefined ? {} : { where: 'device' as const, device }),
    ...(selector === undefined ? {} : { where: 'selector' as const, selector }),
    // A conversation goes on with something new, and is on the device that had it.
    ...(session === undefined ? {} : { session, prompt: '', where: 'device' as const, device: base?.device ?? '' }),
  }
}

/** The fields of the task that show their own errors. */
const shownFields = [
  ...[
    'payload.command',
    'payload.script',
    'payload.args',
    'payload.prompt',
    'payload.system',
    'payload.agent',
    'payload.provider',
  ],
  ...['payload.model', 'payload.approve', 'payload.budget', 'payload.max_turns', 'payload.secrets', 'payload.mcp_servers'],
  ...['payload.session', 'payload.cwd', 'payload.env', 'target.device', 'target.selector'],
  ...['options.timeout_seconds', 'options.retries', 'options.start_within_seconds', 'tags'],
]

const TaskEditor = ({ base, start }: { base: Task | undefined; start: TaskForm }) => {
  const ask = useApi()
  const { route } = useLocation()
  const [form, setForm] = useState(start)
  const [hasTried, setTried] = useState(false)
  const { draft, faults: unreadable } = draftOf(form, base)
  const faults = hasTried ? [...unreadable, ...missingIn(draft)] : unreadable
  const { preview, error, isLoading } = useTaskPreview(draft)
  // The same task sent twice is one task; another one has another key.
  const sent = useRef({ body: '', key: '' })
  const submit = useAction(
    () => {
      const body = JSON.stringify(draft)
      if (sent.current.body !== body) sent.current = { body, key: newKey() }
      return ask<Task>('POST', '/tasks', { ...draft, source: 'dashboard', idempotency_key: sent.current.key })
    },
    (task) => route(`/tasks/${task.task_id}`),
  )
  const refusal = submit.error
  const change = (part: Partial<TaskForm>): void => {
    if (refusal) submit.clear()
    setForm((before) => ({ ...before, ...part }))
  }
  const own: WireError | null =
    faults.length === 0 ? null : { code: 'invalid', message: '', retryable: false, details: [...faults] }
  const fields: FieldsProps = {
    form,
    change,
    faultOf: (field) => faultOf(own, field) ?? faultOf(refusal, field) ?? faultOf(error, field),
  }
  const send = (): void => {
    setTried(true)
    if (unreadable.length === 0 && missingIn(draft).length === 0) void submit.run()
  }

  const bar = useSubmitKey()

  return (
    <div class="editor">
      <Form onSubmit={send} error={refusal} fields={shownFields}>
        <Card>
          <Segments
            label="What it runs"
            value={form.kind}
            options={[
              { value: 'command', label: 'Command' },
              { value: 'script', label: 'Script' },
              { value: 'agent', label: 'Agent' },
              ...(start.kind === 'kept' ? [{ value: 'kept' as const, label: 'As it was' }] : []),
            ]}
            onChange={(kind) => change({ kind })}
          />
          {form.kind === 'command' && <CommandFields {...fields} />}
          {form.kind === 'script' && <ScriptFields {...fields} />}
          {form.kind === 'agent' && <AgentFields {...fields} />}
          {form.kind === 'kept' && base && (
            <p class="muted">
              It runs what it ran before: <Plain text={whatOf(base)} />
            </p>
          )}
        </Card>
        <Card title="Where">
          <PlaceFields {...fields} />
        </Card>
        <details class="card form-more" open={hasOptions(start)}>
          <summary>Options: time limit, retries, priority, name, tags, directory, environment</summary>
          <div class="form">
            <OptionFields {...fields} />
          </div>
        </details>
        {hasTried && faults.length > 0 && (
          <p class="field-error" role="alert">
            Something is missing above, or cannot be read.
          </p>
        )}
        <div class="bar" ref={bar}>
          <Button type="submit" kind="primary" icon="play" busy={submit.isBusy}>
            Submit
          </Button>
          <span class="muted">
            or <kbd>Ctrl</kbd> <kbd>Enter</kbd>
          </span>
        </div>
      </Form>
      <aside class="editor-aside">
        <PreviewCard preview={preview} error={error} isMarked={error !== null && isShown(error)} isLoading={isLoading} />
        {unreadable.length === 0 && missingIn(draft).length === 0 && (
          <Card title="The same in a terminal">
            <Command text={commandLineOf(draft)} />
          </Card>
        )}
      </aside>
    </div>
  )
}

/** Whether fields say all of it themselves. */
const isShown = (error: WireError): boolean =>
  error.details !== undefined && error.details.length > 0 && error.details.every((one) => faultAt(one.field))
const faultAt = (field: string): boolean => shownFields.some((shown) => field === shown || field.startsWith(`${shown}.`))
