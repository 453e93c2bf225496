import type { ComponentChildren } from 'preact'
import { plainText } from '../format/plain-text.ts'
import { lookOf, type Tone } from '../format/states.ts'
import { Icon, type IconName } from './icon.tsx'
import { Plain } from './plain.tsx'

/** The state of a device, task, run, workload, deployment, approval or token: colour, sign and word. */
export const State = ({ state, title, of }: { state: string; title?: string | null; of?: 'deployment' }) => {
  const { tone, icon, word } = lookOf(state, of)
  return (
    <Badge tone={tone} icon={icon} title={title ?? undefined}>
      <Plain text={word} />
    </Badge>
  )
}

interface BadgeProps {
  tone?: Tone
  icon?: IconName
  title?: string | undefined
  children: ComponentChildren
}

/** A word that stands out. */
export const Badge = ({ tone = 'off', icon, title, children }: BadgeProps) => (
  <span class={`badge tone-${tone}`} title={title === undefined ? undefined : plainText(title)}>
    {icon && <Icon name={icon} size={13} />}
    {children}
  </span>
)
