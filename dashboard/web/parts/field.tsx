import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

/** What ties a control to its label, its hint and its error. */
export interface ControlProps {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': true | undefined
}

interface FieldProps {
  label: ComponentChildren
  hint?: ComponentChildren
  /** What is wrong with what was entered, in the words of whoever refused it. */
  error?: string | undefined
  children: (control: ControlProps) => ComponentChildren
}

/** A field of a form: label, control, hint, its own error. */
export const Field = ({ label, hint, error, children }: FieldProps) => {
  const id = useId()
  const about = [hint !== undefined && `${id}-hint`, error !== undefined && `${id}-error`].filter(Boolean).join(' ')
  return (
    <div class={error === undefined ? 'field' : 'field field-wrong'}>
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': about || undefined, 'aria-invalid': error === undefined ? undefined : true })}
      {hint !== undefined && (
        <p class="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error !== undefined && (
        <p class="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  )
}

interface TextFieldProps extends Omit<FieldProps, 'children'> {
  value: string
  onInput: (value: string) => void
  type?: 'text' | 'password' | 'number'
  placeholder?: string
  autocomplete?: string
  required?: boolean
  mono?: boolean
  /** More than one: a box for several lines. */
  rows?: number
}

/** A field for a text. */
export const TextField = ({ label, hint, error, onInput, mono, rows = 1, type = 'text', ...own }: TextFieldProps) => (
  <Field label={label} hint={hint} error={error}>
    {(control) =>
      rows > 1 ? (
        <textarea
          {...control}
          {...own}
          class={mono ? 'mono' : undefined}
          rows={rows}
          spellcheck={!mono}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      ) : (
        <input
          {...control}
          {...own}
          type={type as 'text'} // the three take the same attributes
          class={mono ? 'mono' : undefined}
          autocapitalize="off"
          spellcheck={false}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )
    }
  </Field>
)
