import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Icon, type IconName } from './icon.tsx'

interface MenuProps {
  label: string
  icon?: IconName
  /** Only the icon is shown. */
  bare?: boolean
  children: ComponentChildren
}

/** Less usual actions behind one button. Escape, a choice and a press beside it close it. */
export const Menu = ({ label, icon = 'more', bare = false, children }: MenuProps) => {
  const box = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    const close = (event: Event) => {
      const element = box.current
      if (element?.open && !(event.target instanceof Node && element.contains(event.target))) element.open = false
    }
    document.addEventListener('pointerdown', close)
    document.addEventListener('focusin', close)
    return () => {
      document.removeEventListener('pointerdown', close)
      document.removeEventListener('focusin', close)
    }
  }, [])
  const shut = (focus: boolean) => {
    if (!box.current?.open) return
    box.current.open = false
    if (focus) box.current.querySelector('summary')?.focus()
  }
  return (
    <details ref={box} class="menu" onKeyDown={(event) => event.key === 'Escape' && shut(true)}>
      <summary class={bare ? 'button button-plain button-bare' : 'button button-plain'} aria-label={bare ? label : undefined}>
        <Icon name={icon} size={16} />
        {!bare && label}
      </summary>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a choice within closes it */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: Enter on a choice is a click */}
      <div class="menu-list" onClick={() => shut(true)}>
        {children}
      </div>
    </details>
  )
}
