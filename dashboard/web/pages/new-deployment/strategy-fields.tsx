import { Check, Choice } from '../../parts/choice.tsx'
import { type FormProps, FormText } from '../../parts/form-text.tsx'
import type { DeploymentForm } from './deployment-form.ts'

/** How carefully it goes, and when it is given up. */
export const StrategyFields = (props: FormProps<DeploymentForm>) => {
  const { form, change } = props
  return (
    <>
      <div class="field-pair">
        <FormText
          {...props}
          name="batch"
          of="batch"
          label="Devices at a time"
          hint="A number, or a share as 10%. The next ones begin when these are healthy."
        />
        <FormText {...props} name="canary" of="canary" label="Canary" hint="So many go first, by themselves." />
        <FormText {...props} name="maxFailures" of="max_failures" label="May fail" hint="One more device that fails ends it." />
      </div>
      <div class="field-pair">
        <FormText
          {...props}
          name="minHealthy"
          of="min_healthy_seconds"
          label="Healthy after"
          hint="All workloads well for so long, without a break."
        />
        <FormText
          {...props}
          name="healthTimeout"
          of="health_timeout_seconds"
          label="Failed after"
          hint="If it is not healthy by then."
        />
        <FormText {...props} name="pause" of="pause_seconds" label="Pause" hint="Between two batches." />
      </div>
      <Check
        label="Roll back if it fails"
        hint="Every device that was touched gets what it had before."
        value={form.rollsBack}
        onChange={(rollsBack) => change({ rollsBack })}
      />
    </>
  )
}

/** What most people leave as it is. */
export const MoreFields = (props: FormProps<DeploymentForm>) => {
  const { form, change } = props
  return (
    <>
      <div class="field-pair">
        <FormText
          {...props}
          name="failureRatio"
          of="max_failure_ratio"
          label="May fail, as a share"
          placeholder="20%"
          hint="Of the devices that have come to an end."
        />
        <FormText
          {...props}
          name="maxUnavailable"
          of="max_unavailable"
          label="Unavailable at a time"
          placeholder="10%"
          hint="Devices without a healthy release, those that are away included."
        />
        <FormText
          {...props}
          name="unavailablePer"
          of="max_unavailable_per"
          label="For each value of the label"
          placeholder="site"
          hint="Then that is counted for each of them."
          mono
        />
      </div>
      <Choice
        label="A device that comes back late"
        value={form.late}
        options={[
          ['apply_if_not_superseded', 'Gets it if it is the newest'],
          ['apply', 'Always gets it'],
          ['hold', 'Waits for somebody'],
        ]}
        onChange={(late) => change({ late })}
      />
      <FormText
        {...props}
        name="deadline"
        of="progress_deadline_seconds"
        label="Given up after"
        hint="A device that is connected and gets no further for so long has failed."
      />
      <FormText
        {...props}
        name="env"
        of="env"
        label="Environment"
        placeholder="NAME=value"
        hint="For its workloads on these devices. One to a line."
        rows={3}
        mono
      />
    </>
  )
}
