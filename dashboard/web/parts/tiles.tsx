import type { ComponentChildren } from 'preact'
import { countText } from '../format/amounts.ts'
import type { Tone } from '../format/states.ts'
import { Icon, type IconName } from './icon.tsx'

interface TileProps {
  name: string
  icon: IconName
  tone: Tone
  count: number
  href: string
  children?: ComponentChildren
}

/** A number that matters, which leads to what it counts. None is shown calmly. */
export const Tile = ({ name, icon, tone, count, href, children }: TileProps) => (
  <a class={`tile tone-${tone} ${count === 0 ? 'tile-calm' : ''}`} href={href}>
    <span class="tile-name">
      <Icon name={icon} size={15} />
      {name}
    </span>
    <span class="tile-number">{countText(count)}</span>
    <span class="tile-more">{children}</span>
  </a>
)
