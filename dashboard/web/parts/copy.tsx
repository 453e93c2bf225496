import { useEffect, useState } from 'preact/hooks'
import { Button } from './button.tsx'

/** Copies a text. */
export const Copy = ({ text, label = 'Copy', bare = false }: { text: string; label?: string; bare?: boolean }) => {
  const [said, setSaid] = useState<string | null>(null)
  useEffect(() => {
    if (said === null) return
    const timer = setTimeout(() => setSaid(null), 2_000)
    return () => clearTimeout(timer)
  }, [said])
  const copy = async () => setSaid((await write(text)) ? 'Copied' : 'Cannot copy')
  return (
    <span class="copy">
      <Button small icon={said === 'Copied' ? 'check' : 'copy'} bare={bare} onClick={() => void copy()} title={label}>
        {said ?? label}
      </Button>
      <span class="unseen" role="status">
        {said}
      </span>
    </span>
  )
}

/** Without TLS browsers give no clipboard to pages that are not of this machine; the older way still works there. */
const write = async (text: string): Promise<boolean> => {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = document.createElement('textarea')
    field.value = text
    field.className = 'unseen'
    // Within a dialog that is open, nothing beside it can be selected.
    ;(document.querySelector('dialog[open]') ?? document.body).append(field)
    field.select()
    const isCopied = document.execCommand('copy')
    field.remove()
    return isCopied
  }
}
