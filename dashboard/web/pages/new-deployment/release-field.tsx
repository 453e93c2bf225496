import type { Release } from '../../../../schemas/release.ts'
import { refOf } from '../../deployments/release-ref.ts'
import { bytesText, plural } from '../../format/amounts.ts'
import { plainText } from '../../format/plain-text.ts'
import { Field } from '../../parts/field.tsx'
import type { FormProps } from '../../parts/form-text.tsx'
import { Plain } from '../../parts/plain.tsx'
import type { DeploymentForm } from './deployment-form.ts'

/** Which release is rolled out, of those that there are. */
export const ReleaseField = ({
  form,
  change,
  faultOf,
  releases,
}: FormProps<DeploymentForm> & { releases: readonly Release[] }) => {
  const refs = releases.map(refOf)
  const chosen = releases.find((one) => refOf(one) === form.release)
  return (
    <>
      <Field label="Release" error={faultOf('release') ?? faultOf('version')}>
        {(control) => (
          <select {...control} value={form.release} onChange={(event) => change({ release: event.currentTarget.value })}>
            {form.release === '' && <option value="">Choose one</option>}
            {/* What the address names is told, also if it is not there any more. */}
            {form.release !== '' && !chosen && <option value={form.release}>{form.release}</option>}
            {refs.map((ref) => (
              <option key={ref} value={ref}>
                {plainText(ref)}
              </option>
            ))}
          </select>
        )}
      </Field>
      {chosen && (
        <p class="field-hint">
          {plural(chosen.workloads.length, 'workload')}: <Plain text={chosen.workloads.join(', ')} />.{' '}
          {bytesText(chosen.bundle.size)} to bring,{' '}
          {chosen.devices === 0 ? 'on no device yet' : `on ${plural(chosen.devices, 'device')} already`}.
        </p>
      )}
    </>
  )
}
