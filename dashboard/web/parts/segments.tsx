import { Icon, type IconName } from './icon.tsx'

interface SegmentsProps<Value extends string> {
  label: string
  value: Value
  options: readonly { value: Value; label: string; icon?: IconName }[]
  onChange: (value: Value) => void
}

/** A choice of one from two to five, all in sight. */
export const Segments = <Value extends string>({ label, value, options, onChange }: SegmentsProps<Value>) => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out in a row everywhere
  <div class="segments" role="group" aria-label={label}>
    {options.map((option) => (
      <button
        key={option.value}
        type="button"
        aria-pressed={option.value === value}
        title={option.icon && option.label}
        onClick={() => onChange(option.value)}
      >
        {option.icon ? (
          <>
            <Icon name={option.icon} size={16} />
            <span class="unseen">{option.label}</span>
          </>
        ) : (
          option.label
        )}
      </button>
    ))}
  </div>
)
