import { Choice } from '../../parts/choice.tsx'
import { FormText } from '../../parts/form-text.tsx'
import type { FieldsProps } from './fields.tsx'

/** How it is to run, and what it is called. */
export const OptionFields = (props: FieldsProps) => {
  const { form, change } = props
  return (
    <>
      <div class="field-pair">
        <FormText
          {...props}
          name="timeout"
          of="options.timeout_seconds"
          label="Time limit"
          hint="In seconds. Without one it has all the time."
        />
        <FormText {...props} name="retries" of="options.retries" label="Tries after a failure" placeholder="0" />
        <FormText
          {...props}
          name="startWithin"
          of="options.start_within_seconds"
          label="Starts within"
          hint="In seconds; after that it expires."
        />
      </div>
      <Choice
        label="Priority"
        value={form.priority}
        options={[
          ['critical', 'Critical'],
          ['high', 'High'],
          ['medium', 'Medium'],
          ['low', 'Low'],
        ]}
        onChange={(priority) => change({ priority })}
      />
      <div class="field-pair">
        <FormText {...props} name="name" of="metadata" label="Name" hint="What it is called in lists." />
        <FormText {...props} name="tags" of="tags" label="Tags" hint="With commas between them." />
      </div>
      <FormText
        {...props}
        name="cwd"
        of="payload.cwd"
        label="Working directory"
        hint="On the device. Without one it is an empty one of its own."
        mono
      />
      <FormText
        {...props}
        name="env"
        of="payload.env"
        label="Environment"
        placeholder="NAME=value"
        hint="One to a line."
        rows={3}
        mono
      />
    </>
  )
}
