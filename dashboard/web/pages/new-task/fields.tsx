import type { ComponentChildren } from 'preact'
import { Field, TextField } from '../../parts/field.tsx'
import { Segments } from '../../parts/segments.tsx'
import type { TaskForm } from './task-form.ts'

/** The fields of which a form holds a text. */
type TextOf = {
  [K in keyof TaskForm]: TaskForm[K] extends string ? (string extends TaskForm[K] ? K : never) : never
}[keyof TaskForm]

/** What the fields of the form are given. */
export interface FieldsProps {
  form: TaskForm
  change: (change: Partial<TaskForm>) => void
  /** What is wrong with a field of the task, by its name there. */
  faultOf: (field: string) => string | undefined
}

interface TextProps extends FieldsProps {
  name: TextOf
  /** What it is in the task. */
  of: string
  label: string
  hint?: ComponentChildren
  rows?: number
  mono?: boolean
  placeholder?: string
}

/** A field of the form for a text. */
export const Text = ({ form, change, faultOf, name, of, label, ...more }: TextProps) => (
  <TextField
    label={label}
    value={form[name]}
    error={faultOf(of)}
    autocomplete="off"
    onInput={(value) => change({ [name]: value })}
    {...more}
  />
)

interface ChoiceProps<Value extends string> {
  label: string
  value: Value
  options: readonly (readonly [value: Value, label: string])[]
  error?: string | undefined
  hint?: ComponentChildren
  onChange: (value: Value) => void
}

/** A choice of one from a few, with a label and room for what is wrong with it. */
export const Choice = <Value extends string>({ label, value, options, error, hint, onChange }: ChoiceProps<Value>) => (
  <div class={error === undefined ? 'field' : 'field field-wrong'}>
    <span class="choice-label" aria-hidden="true">
      {label}
    </span>
    <div>
      <Segments
        label={label}
        value={value}
        options={options.map(([one, words]) => ({ value: one, label: words }))}
        onChange={onChange}
      />
    </div>
    {hint !== undefined && <p class="field-hint">{hint}</p>}
    {error !== undefined && <p class="field-error">{error}</p>}
  </div>
)

/** A yes or no. */
export const Check = ({
  label,
  hint,
  value,
  onChange,
}: {
  label: string
  hint?: string
  value: boolean
  onChange: (value: boolean) => void
}) => (
  <label class="check">
    <input type="checkbox" checked={value} onChange={(event) => onChange(event.currentTarget.checked)} />
    <span>
      {label}
      {hint !== undefined && <span class="field-hint">{hint}</span>}
    </span>
  </label>
)

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
