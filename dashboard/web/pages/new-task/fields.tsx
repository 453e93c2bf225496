import { Field } from '../../parts/field.tsx'
import type { FormProps } from '../../parts/form-text.tsx'
import type { TaskForm } from './task-form.ts'

/** What the fields of the form are given. */
export type FieldsProps = FormProps<TaskForm>

/** A field with suggestions. */
export const Suggested = ({ form, change, faultOf, suggestions }: FieldsProps & { suggestions: readonly string[] }) => (
  <Field
    label="Device"
    error={faultOf('target.device')}
    hint="One that has not joined yet may be named too: the task waits for it."
  >
    {(control) => (
      <>
        <input
          {...control}
          class="mono"
          list={`${control.id}-list`}
          value={form.device}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          onInput={(event) => change({ device: event.currentTarget.value })}
        />
        <datalist id={`${control.id}-list`}>
          {suggestions.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </>
    )}
  </Field>
)
