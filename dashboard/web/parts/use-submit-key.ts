import type { RefObject } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

/** Ctrl+Enter presses the button within what this is the `ref` of. */
export const useSubmitKey = (): RefObject<HTMLDivElement | null> => {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      box.current?.querySelector('button')?.click()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  return box
}
