import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

interface CardProps {
  title?: ComponentChildren
  /** At the right of the title. */
  aside?: ComponentChildren
  /** Without room around what it holds: for tables and charts. */
  flush?: boolean
  children: ComponentChildren
}

/** A part of a page with a title of its own. */
export const Card = ({ title, aside, flush = false, children }: CardProps) => {
  const id = useId()
  return (
    <section class={flush ? 'card card-flush' : 'card'} aria-labelledby={title === undefined ? undefined : id}>
      {title !== undefined && (
        <header class="card-head">
          <h2 id={id}>{title}</h2>
          {aside && <div class="card-aside">{aside}</div>}
        </header>
      )}
      {children}
    </section>
  )
}
