interface SelectProps<Value extends string> {
  /** What is chosen, for screen readers; shown before it with `shown`. */
  label: string
  shown?: boolean
  value: Value
  options: readonly { value: Value; label: string }[]
  onChange: (value: Value) => void
}

/** A choice of one from a few. */
export const Select = <Value extends string>({ label, shown = false, value, options, onChange }: SelectProps<Value>) => (
  <label class="select">
    <span class={shown ? 'select-label' : 'unseen'}>{label}</span>
    <select
      value={value}
      onChange={(event) => {
        const chosen = options.find((option) => option.value === event.currentTarget.value)
        if (chosen) onChange(chosen.value)
      }}
    >
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  </label>
)
