import type { ComponentChildren } from 'preact'
import { TextField } from './field.tsx'

/** What the fields of a form are given; the form holds what was typed. */
export interface FormProps<Form> {
  form: Form
  change: (change: Partial<Form>) => void
  /** What is wrong with a field of what is asked for, by its name there. */
  faultOf: (field: string) => string | undefined
}

/** The fields of which a form holds a text. */
export type TextOf<Form> = {
  [K in keyof Form]: Form[K] extends string ? (string extends Form[K] ? K : never) : never
}[keyof Form]

interface FormTextProps<Form> extends FormProps<Form> {
  name: TextOf<Form>
  /** What it is in what is asked for. */
  of: string
  label: string
  hint?: ComponentChildren
  rows?: number
  mono?: boolean
  placeholder?: string
}

/** A field of a form for a text. */
export const FormText = <Form,>({ form, change, faultOf, name, of, label, ...more }: FormTextProps<Form>) => (
  <TextField
    label={label}
    value={String(form[name])}
    error={faultOf(of)}
    autocomplete="off"
    onInput={(value) => change({ [name]: value } as Partial<Form>)} // a field that is a text
    {...more}
  />
)
