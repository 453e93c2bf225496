import { type ComponentChildren, createContext } from 'preact'
import { useCallback, useContext, useRef, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'
import { Plain } from './plain.tsx'

export type Toast = (kind: 'good' | 'bad', text: string) => void
const ToastContext = createContext<Toast>(() => {})

/** Says what came of something, for a few seconds, and to screen readers. */
export const useToast = (): Toast => useContext(ToastContext)

const shownMs = { good: 6_000, bad: 12_000 }

export const ToastProvider = ({ children }: { children: ComponentChildren }) => {
  const [toasts, setToasts] = useState<readonly { id: number; kind: 'good' | 'bad'; text: string }[]>([])
  const lastId = useRef(0)
  const close = (id: number) => setToasts((before) => before.filter((one) => one.id !== id))
  const toast = useCallback<Toast>((kind, text) => {
    const id = ++lastId.current
    setToasts((before) => [...before.slice(-3), { id, kind, text }])
    setTimeout(() => close(id), shownMs[kind])
  }, [])
  return (
    <ToastContext.Provider value={toast}>
      {children}
      <div class="toasts" role="status" aria-live="polite">
        {toasts.map(({ id, kind, text }) => (
          <div key={id} class={`toast tone-${kind}`}>
            <Icon name={kind === 'good' ? 'check' : 'warning'} />
            <Plain text={text} />
            <Button kind="quiet" icon="cross" bare small onClick={() => close(id)}>
              Close
            </Button>
          </div>
        ))}
      </div>
    </ToastContext.Provider>
  )
}
