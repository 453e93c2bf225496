import { useEffect, useState } from 'preact/hooks'
import { Button } from './button.tsx'
import { writeClipboard } from './clipboard.ts'

/** Copies a text. */
export const Copy = ({ text, label = 'Copy', bare = false }: { text: string; label?: string; bare?: boolean }) => {
  const [said, setSaid] = useState<string | null>(null)
  useEffect(() => {
    if (said === null) return
    const timer = setTimeout(() => setSaid(null), 2_000)
    return () => clearTimeout(timer)
  }, [said])
  const copy = async () => setSaid((await writeClipboard(text)) ? 'Copied' : 'Cannot copy')
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
