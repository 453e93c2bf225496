import { Copy } from './copy.tsx'

/** A command for a terminal, to be copied. */
export const Command = ({ text }: { text: string }) => (
  <div class="command">
    <code>{text}</code>
    <Copy text={text} bare label="Copy the command" />
  </div>
)
