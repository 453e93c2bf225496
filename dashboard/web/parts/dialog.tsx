import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'
import { Button } from './button.tsx'

interface DialogProps {
  title: ComponentChildren
  onClose: () => void
  /** Buttons at its end. */
  actions?: ComponentChildren
  wide?: boolean
  /** What it shows is gone with it: a press beside it does not close it. */
  keep?: boolean
  children: ComponentChildren
}

/** A dialog over the page: Escape, its cross and a press beside it close it, and the focus goes back to where it was. */
export const Dialog = ({ title, onClose, actions, wide = false, keep = false, children }: DialogProps) => {
  const id = useId()
  const dialog = useRef<HTMLDialogElement>(null)
  /** Whether the press began beside it: a selection that is drawn out of it ends there too. */
  const isBeside = useRef(false)
  useLayoutEffect(() => {
    const before = document.activeElement
    const element = dialog.current
    element?.showModal()
    // Browsers take the first thing that can be pressed, which is the cross.
    element?.querySelector<HTMLElement>('input, select, textarea, [data-first]')?.focus()
    return () => {
      element?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it
    <dialog
      ref={dialog}
      class={wide ? 'dialog dialog-wide' : 'dialog'}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onPointerDown={(event) => {
        isBeside.current = event.target === event.currentTarget
      }}
      onClick={(event) => {
        if (!keep && isBeside.current && event.target === event.currentTarget) onClose()
      }}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <Button kind="quiet" icon="cross" bare onClick={onClose}>
            Close
          </Button>
        </header>
        {children}
        {actions && <footer class="dialog-actions">{actions}</footer>}
      </div>
    </dialog>
  )
}
