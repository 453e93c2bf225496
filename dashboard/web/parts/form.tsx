import type { ComponentChildren } from 'preact'
import type { WireError } from '../../../schemas/errors.ts'
import { Fault } from './fault.tsx'

interface FormProps {
  onSubmit: () => void
  /** What the last try was refused with. Fields show what is theirs; what no field shows is said here. */
  error?: WireError | null
  /** The fields that show their own errors. */
  fields?: readonly string[]
  children: ComponentChildren
}

/** A form that is sent by Enter or its button. */
export const Form = ({ onSubmit, error = null, fields = [], children }: FormProps) => {
  const isShown = error?.details?.length
    ? error.details.every((fault) => fields.some((field) => fault.field === field || fault.field.startsWith(`${field}.`)))
    : false
  return (
    <form
      class="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        onSubmit()
      }}
    >
      {children}
      {error && !isShown && <Fault error={error} />}
    </form>
  )
}
