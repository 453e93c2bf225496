import type { OutputOf } from '../../../../schemas/operations.ts'
import { useAsk } from '../../api/use-ask.ts'
import { Choice } from '../../parts/choice.tsx'
import { FormText } from '../../parts/form-text.tsx'
import { type FieldsProps, Suggested } from './fields.tsx'

/** Where it is to run. */
export const PlaceFields = (props: FieldsProps) => {
  const { form, change } = props
  const { data } = useAsk<OutputOf<'device.list'>>(form.where === 'device' ? '/devices?limit=1000' : null)
  return (
    <>
      <Choice
        label="Runs on"
        value={form.where}
        options={[
          ['any', 'Any device'],
          ['device', 'One device'],
          ['selector', 'Devices by labels'],
        ]}
        onChange={(where) => change({ where })}
      />
      {form.where === 'device' && <Suggested {...props} suggestions={(data?.devices ?? []).map((one) => one.device).sort()} />}
      {form.where === 'selector' && (
        <FormText
          {...props}
          name="selector"
          of="target.selector"
          label="Selector"
          hint="Labels that a device must have, as in role=builder,region in (eu,us),!spare"
          mono
        />
      )}
      {form.where !== 'device' && (
        <Choice
          label="How many of them"
          value={form.fanout}
          options={[
            ['one', 'One of them'],
            ['all', 'Each of them'],
          ]}
          onChange={(fanout) => change({ fanout })}
        />
      )}
    </>
  )
}
