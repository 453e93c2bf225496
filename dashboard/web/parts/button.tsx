import type { ComponentChildren } from 'preact'
import { Icon, type IconName } from './icon.tsx'

interface Look {
  kind?: 'primary' | 'plain' | 'danger' | 'quiet'
  icon?: IconName
  small?: boolean
  /** Only the icon is shown; the text is its name. */
  bare?: boolean
}

interface ButtonProps extends Look {
  children: ComponentChildren
  onClick?: (event: MouseEvent) => void
  type?: 'button' | 'submit'
  disabled?: boolean
  /** It works on it: it cannot be pressed again meanwhile. */
  busy?: boolean
  /** For one that is on or off. */
  pressed?: boolean
  /** A name for screen readers that says more than the text. */
  label?: string
  title?: string
}

/** Something to press. */
export const Button = ({ children, onClick, type = 'button', disabled, busy, pressed, label, title, ...look }: ButtonProps) => (
  <button
    type={type}
    class={classOf(look)}
    // One that is busy keeps the focus.
    disabled={disabled}
    aria-disabled={busy ? true : undefined}
    aria-busy={busy ? true : undefined}
    aria-pressed={pressed}
    aria-label={label}
    title={title}
    onClick={busy ? (event) => event.preventDefault() : onClick}
  >
    <Face {...look} busy={busy ?? false}>
      {children}
    </Face>
  </button>
)

interface LinkButtonProps extends Look {
  children: ComponentChildren
  href: string
  label?: string
  download?: boolean | string
}

/** A link that looks like a button: it leads somewhere. */
export const LinkButton = ({ children, href, label, download, ...look }: LinkButtonProps) => (
  <a class={classOf(look)} href={href} aria-label={label} download={download}>
    <Face {...look} busy={false}>
      {children}
    </Face>
  </a>
)

const Face = ({ icon, bare, busy, children }: Look & { busy: boolean; children: ComponentChildren }) => (
  <>
    {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} size={16} />}
    <span class={bare ? 'unseen' : undefined}>{children}</span>
  </>
)

const classOf = ({ kind = 'plain', small, bare }: Look): string =>
  ['button', `button-${kind}`, small && 'button-small', bare && 'button-bare'].filter(Boolean).join(' ')
