/** Arrow keys, Home and End go from row to row: to the links with `data-row` within what hears the keys. */
export const moveByArrows = (event: KeyboardEvent & { currentTarget: Element }): void => {
  const from = event.target
  // In a field the arrows belong to the field.
  if (!(from instanceof HTMLElement) || from.matches('input, select, textarea, summary') || event.altKey || event.ctrlKey) return
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-row]')]
  const at = rows.findIndex((row) => row === from || row.closest('tr, [role=row], li')?.contains(from))
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key]
  if (to === undefined || at < 0) return
  const row = rows[Math.max(0, Math.min(rows.length - 1, to))]
  if (!row) return
  event.preventDefault()
  row.focus()
}
