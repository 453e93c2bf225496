import type { ComponentChild } from 'preact'
import { useRef } from 'preact/hooks'

/** A component that is made anew only when one of its properties is another. */
export const memo =
  <P extends object>(make: (props: P) => ComponentChild) =>
  (props: P): ComponentChild => {
    const last = useRef<{ props: P; made: ComponentChild } | null>(null)
    const before = last.current
    // The same child again is left as it is by Preact.
    if (before && Object.entries(props).every(([name, value]) => before.props[name as keyof P] === value)) return before.made
    last.current = { props, made: make(props) }
    return last.current.made
  }
