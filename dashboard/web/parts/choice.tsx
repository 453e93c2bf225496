import type { ComponentChildren } from 'preact'
import { Segments } from './segments.tsx'
import './choice.css'

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

interface CheckProps {
  label: string
  hint?: string
  value: boolean
  onChange: (value: boolean) => void
}

/** A yes or no. */
export const Check = ({ label, hint, value, onChange }: CheckProps) => (
  <label class="check">
    <input type="checkbox" checked={value} onChange={(event) => onChange(event.currentTarget.checked)} />
    <span>
      {label}
      {hint !== undefined && <span class="field-hint">{hint}</span>}
    </span>
  </label>
)
