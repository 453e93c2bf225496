import type { Task } from '../../../../schemas/task.ts'
import { yamlOf } from '../../format/yaml.ts'
import { Card } from '../../parts/card.tsx'
import { Copy } from '../../parts/copy.tsx'
import { Plain } from '../../parts/plain.tsx'

/** The task as it was submitted. */
export const Details = ({ task }: { task: Task }) => {
  const { type, priority, source, payload, target, options, metadata, tags, idempotency_key, callback_url } = task
  const parts = [
    ['What it runs', payload],
    ['Where', target],
    ['How', options],
    ['What else is said of it', { type, priority, source, tags, metadata, idempotency_key, callback_url }],
  ] as const
  return (
    <div class="stack">
      {parts.map(([title, value]) => {
        const text = yamlOf(value)
        return (
          Object.keys(value).length > 0 && (
            <Card key={title} title={title} aside={<Copy text={text} />}>
              <pre class="source">
                <Plain text={text} lines mono />
              </pre>
            </Card>
          )
        )
      })}
    </div>
  )
}
