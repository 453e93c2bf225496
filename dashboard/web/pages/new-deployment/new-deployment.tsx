import { useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { Deployment } from '../../../../schemas/deployment.ts'
import type { WireError } from '../../../../schemas/errors.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { Release } from '../../../../schemas/release.ts'
import { faultOf } from '../../api/ask.ts'
import { newKey } from '../../api/new-key.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { usePreview } from '../../api/use-preview.ts'
import { NoRelease } from '../../deployments/no-release.tsx'
import { isRef, refOf } from '../../deployments/release-ref.ts'
import { useListed } from '../../deployments/use-listed.ts'
import { Button } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Command } from '../../parts/command.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Form } from '../../parts/form.tsx'
import type { FormProps } from '../../parts/form-text.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { useSubmitKey } from '../../parts/use-submit-key.ts'
import { useSession } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { commandLineOf } from './command-line.ts'
import { type DeploymentForm, draftOf, emptyForm, hasMore, missingIn } from './deployment-form.ts'
import { PreviewCard } from './preview-card.tsx'
import type { Preview } from './read-preview.ts'
import { ReleaseField } from './release-field.tsx'
import { MoreFields, StrategyFields } from './strategy-fields.tsx'
import { TargetFields } from './target-fields.tsx'
import '../../parts/editor.css'
import './new-deployment.css'

type List = OutputOf<'release.list'>

/** A release is rolled out: to whom, how carefully, and what that comes to. */
export const NewDeploymentPage = () => {
  const { mayAct } = useSession()
  const { query: now } = useQuery()
  // As it was opened: the address is another one as soon as it is submitted, and the form must not begin anew then.
  const [query] = useState(now)
  const { rows, error, refresh } = useListed<List, Release>('/releases?limit=1000', (answer) => answer.releases)
  return (
    <>
      <PageHead title="New deployment" up={{ href: '/deployments', label: 'Deployments' }} />
      {!mayAct ? (
        <Empty icon="key" title="You may look, but not roll anything out">
          <p>That takes a token of role operator.</p>
        </Empty>
      ) : !rows ? (
        error ? (
          <Fault error={error} onRetry={refresh} />
        ) : (
          <Skeleton lines={8} />
        )
      ) : rows.length === 0 && !query['release'] ? (
        <NoRelease />
      ) : (
        <Editor releases={rows} start={startOf(query, rows)} />
      )}
    </>
  )
}

/** What the form begins with: what the address says, and what goes without saying. */
const startOf = (query: Readonly<Record<string, string>>, releases: readonly Release[]): DeploymentForm => {
  const { release, selector, device, devices } = query
  const names = devices ?? device
  const [only, another] = releases
  return {
    ...emptyForm,
    release: isRef(release) ? release : only && !another ? refOf(only) : '',
    ...(selector === undefined ? {} : { where: 'selector' as const, selector }),
    ...(names === undefined ? {} : { where: 'devices' as const, devices: names }),
  }
}

/** The fields of the deployment that show their own errors. */
const shownFields = [
  ...['release', 'version', 'target.selector', 'target.devices', 'batch', 'canary', 'max_failures', 'max_failure_ratio'],
  ...['min_healthy_seconds', 'health_timeout_seconds', 'pause_seconds', 'max_unavailable', 'max_unavailable_per'],
  ...['progress_deadline_seconds', 'env'],
]

const Editor = ({ releases, start }: { releases: readonly Release[]; start: DeploymentForm }) => {
  const ask = useApi()
  const { route } = useLocation()
  const [form, setForm] = useState(start)
  const [hasTried, setTried] = useState(false)
  const { draft, faults: unreadable } = draftOf(form)
  const missing = missingIn(form)
  const faults = hasTried ? [...unreadable, ...missing] : unreadable
  const isWhole = unreadable.length === 0 && missing.length === 0
  const { preview, error, isLoading } = usePreview<Preview>('/deployments', isWhole ? { ...draft, dry_run: true } : null)
  // The same deployment sent twice is one; another one has another key.
  const sent = useRef({ body: '', key: '' })
  const submit = useAction(
    () => {
      const body = JSON.stringify(draft)
      if (sent.current.body !== body) sent.current = { body, key: newKey() }
      return ask<Deployment>('POST', '/deployments', { ...draft, idempotency_key: sent.current.key })
    },
    (deployment) => route(`/deployments/${deployment.deployment_id}`),
  )
  const refusal = submit.error
  const own: WireError | null =
    faults.length === 0 ? null : { code: 'invalid', message: '', retryable: false, details: [...faults] }
  const fields: FormProps<DeploymentForm> = {
    form,
    change: (part) => {
      if (refusal) submit.clear()
      setForm((before) => ({ ...before, ...part }))
    },
    faultOf: (field) => faultOf(own, field) ?? faultOf(refusal, field) ?? faultOf(error, field),
  }
  const send = (): void => {
    setTried(true)
    if (isWhole) void submit.run()
  }
  const bar = useSubmitKey()
  const lacks = lackText(form, unreadable.length > 0 || (error !== null && isShown(error)), missing.length > 0)

  return (
    <div class="editor">
      <Form onSubmit={send} error={refusal} fields={shownFields}>
        <Card title="What">
          <ReleaseField {...fields} releases={releases} />
        </Card>
        <Card title="Where">
          <TargetFields {...fields} />
        </Card>
        <Card title="How">
          <StrategyFields {...fields} />
        </Card>
        <details class="card form-more" open={hasMore(start)}>
          <summary>More options: availability, late devices, deadline, environment</summary>
          <div class="form">
            <MoreFields {...fields} />
          </div>
        </details>
        {hasTried && faults.length > 0 && (
          <p class="field-error" role="alert">
            Something is missing above, or cannot be read.
          </p>
        )}
        <div class="bar" ref={bar}>
          <Button type="submit" kind="primary" icon="deploy" busy={submit.isBusy}>
            Roll out
          </Button>
          <span class="muted">
            or <kbd>Ctrl</kbd> <kbd>Enter</kbd>
          </span>
        </div>
      </Form>
      <aside class="editor-aside">
        <PreviewCard {...{ preview, error, isLoading, lacks }} />
        {isWhole && (
          <Card title="The same in a terminal">
            <Command text={commandLineOf(draft)} />
          </Card>
        )}
      </aside>
    </div>
  )
}

/** What has to be said before it can be told who gets it; null if that is all. */
const lackText = (form: DeploymentForm, isMarked: boolean, isMissing: boolean): string | null => {
  if (form.release === '') return 'That shows when a release is chosen.'
  if (isMissing) return 'That shows when it is said which devices.'
  return isMarked ? 'That shows when what is marked is right.' : null
}

/** Whether fields say all of it themselves. */
const isShown = (error: WireError): boolean =>
  error.details !== undefined &&
  error.details.length > 0 &&
  error.details.every(({ field }) => shownFields.some((shown) => field === shown || field.startsWith(`${shown}.`)))
