/** Puts a text into the clipboard. Without TLS browsers give none to pages that are not of this machine; the older way still works there. */
export const writeClipboard = async (text: string): Promise<boolean> => {
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
