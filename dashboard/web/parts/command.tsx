import { Copy } from './copy.tsx'
import { Plain } from './plain.tsx'

/** A command for a terminal, to be copied. */
export const Command = ({ text }: { text: string }) => (
  <div class="command">
    <code>
      <Plain text={text} lines />
    </code>
    <Copy text={text} bare label="Copy the command" />
  </div>
)
