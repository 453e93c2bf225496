import { Icon } from './icon.tsx'

interface SearchProps {
  value: string
  onInput: (value: string) => void
  label: string
  placeholder?: string
}

/** The search of a page: `/` leads to it, Escape empties it. */
export const Search = ({ value, onInput, label, placeholder }: SearchProps) => (
  <label class="search">
    <span class="unseen">{label}</span>
    <Icon name="search" size={16} />
    <input
      type="search"
      data-search
      value={value}
      placeholder={placeholder ?? label}
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
      aria-keyshortcuts="/"
      onInput={(event) => onInput(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        if (value === '') event.currentTarget.blur()
        else onInput('')
      }}
    />
    <span class="search-key" aria-hidden="true">
      /
    </span>
  </label>
)
