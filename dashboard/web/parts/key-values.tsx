import type { ComponentChildren } from 'preact'
import { Plain } from './plain.tsx'

/** Facts: names and values. Those without a value are left out. */
export const KeyValues = ({ facts }: { facts: readonly (readonly [name: string, value: ComponentChildren])[] }) => (
  <dl class="key-values">
    {facts
      .filter(([, value]) => value !== null && value !== undefined && value !== false && value !== '')
      .map(([name, value]) => (
        <div key={name}>
          <dt>
            <Plain text={name} />
          </dt>
          <dd>{value}</dd>
        </div>
      ))}
  </dl>
)
