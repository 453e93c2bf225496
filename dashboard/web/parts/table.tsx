import type { ComponentChildren } from 'preact'
import { moveByArrows } from './move-by-arrows.ts'

export interface Column<Row> {
  /** Its name in the head; empty for a column of buttons. */
  title: string
  cell: (row: Row) => ComponentChildren
  /** Numbers stand at the right. */
  align?: 'right'
  /** Takes what room is left. */
  wide?: boolean
}

interface TableProps<Row> {
  /** What the table holds, for screen readers. */
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  rowKey: (row: Row) => string | number
}

/**
 * A table with a head that stays in sight. On a phone each row becomes a card, with the names of the columns beside the values. The
 * first link with `data-row` in a row is what the arrow keys go to.
 */
export const Table = <Row,>({ caption, columns, rows, rowKey }: TableProps<Row>) => (
  <div class="table-box">
    <table class="table" onKeyDown={moveByArrows}>
      <caption class="unseen">{caption}</caption>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column.title} scope="col" class={classOf(column)}>
              {column.title === '' ? <span class="unseen">Actions</span> : column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={rowKey(row)}>
            {columns.map((column) => (
              <td key={column.title} class={classOf(column)} data-label={column.title}>
                {column.cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const classOf = (column: Column<never>): string | undefined =>
  [column.align === 'right' && 'right', column.wide && 'wide'].filter(Boolean).join(' ') || undefined
