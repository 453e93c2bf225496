import type { ComponentChildren } from 'preact'
import { Icon, type IconName } from './icon.tsx'

interface EmptyProps {
  icon?: IconName
  title: string
  /** The next step. */
  children?: ComponentChildren
}

/** Nothing is here, and what to do about it. */
export const Empty = ({ icon = 'dot', title, children }: EmptyProps) => (
  <div class="empty">
    <Icon name={icon} size={28} />
    <p class="empty-title">{title}</p>
    {children}
  </div>
)
