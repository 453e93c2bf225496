import type { OutputOf } from '../../../../schemas/operations.ts'
import { useAsk } from '../../api/use-ask.ts'
import { Choice } from '../../parts/choice.tsx'
import { Field } from '../../parts/field.tsx'
import { type FormProps, FormText } from '../../parts/form-text.tsx'
import { type DeploymentForm, namesOf } from './deployment-form.ts'

/** Which devices get it. */
export const TargetFields = (props: FormProps<DeploymentForm>) => {
  const { form, change } = props
  return (
    <>
      <Choice
        label="Which devices"
        value={form.where}
        options={[
          ['all', 'All'],
          ['selector', 'By labels'],
          ['devices', 'By name'],
        ]}
        hint="Which they are is settled when it begins: devices that join later do not get it."
        onChange={(where) => change({ where })}
      />
      {form.where === 'selector' && (
        <FormText
          {...props}
          name="selector"
          of="target.selector"
          label="Selector"
          hint="Labels that a device must have, as in site=berlin,role in (gate,sensor),!spare"
          mono
        />
      )}
      {form.where === 'devices' && <Names {...props} />}
    </>
  )
}

const Names = (props: FormProps<DeploymentForm>) => {
  const { form, change } = props
  const { data } = useAsk<OutputOf<'device.list'>>('/devices?limit=1000')
  const named = new Set(namesOf(form.devices))
  const known = (data?.devices ?? []).map((one) => one.device as string).sort()
  const add = (input: HTMLInputElement): void => {
    const name = input.value.trim()
    if (!known.includes(name)) return
    input.value = ''
    if (!named.has(name)) change({ devices: [...named, name].join(' ') })
  }
  return (
    <>
      <FormText
        {...props}
        name="devices"
        of="target.devices"
        label="Devices"
        hint="Their names, with blanks or commas between them."
        rows={2}
        mono
      />
      <Field label="Add one of the fleet">
        {(control) => (
          <>
            <input
              {...control}
              class="mono"
              list={`${control.id}-list`}
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              // What is chosen from the list comes as a change, what is typed is taken with Enter.
              onInput={(event) => event.inputType !== 'insertText' && add(event.currentTarget)}
              onChange={(event) => add(event.currentTarget)}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' || event.ctrlKey || event.metaKey) return
                event.preventDefault()
                add(event.currentTarget)
              }}
            />
            <datalist id={`${control.id}-list`}>
              {known
                .filter((name) => !named.has(name))
                .map((name) => (
                  <option key={name} value={name} />
                ))}
            </datalist>
          </>
        )}
      </Field>
    </>
  )
}
