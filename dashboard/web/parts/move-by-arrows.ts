/** Whether a key may lead from row to row: in a field it belongs to the field. */
export const isForRows = ({ target, altKey, ctrlKey }: KeyboardEvent): boolean =>
  target instanceof HTMLElement && !target.matches('input, select, textarea, summary') && !altKey && !ctrlKey

/** Arrow keys, Home and End go from row to row: to the links with `data-row` within what hears the keys. */
export const moveByArrows = (event: KeyboardEvent & { currentTarget: Element }): void => {
  const from = event.target
  if (!isForRows(event) || !(from instanceof HTMLElement)) return
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-row]')]
  const at = rows.findIndex((row) => row === from || row.closest('tr, [role=row], li')?.contains(from))
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key]
  if (to === undefined || at < 0) return
  const row = rows[Math.max(0, Math.min(rows.length - 1, to))]
  if (!row) return
  event.preventDefault()
  row.focus()
}
