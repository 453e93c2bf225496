/** A table that is made of boxes, because only some of its rows are there, says with these what each box is. */
export const roles = {
  table: (label: string, rows: number) => ({ role: 'table', 'aria-label': label, 'aria-rowcount': rows + 1 }) as const,
  rowgroup: { role: 'rowgroup' } as const,
  row: (index: number) => ({ role: 'row', 'aria-rowindex': index }) as const,
  columnheader: (sorted: 'ascending' | 'descending' | undefined) => ({ role: 'columnheader', 'aria-sort': sorted }) as const,
  cell: { role: 'cell' } as const,
}
