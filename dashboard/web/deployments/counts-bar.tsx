import type { Deployment } from '../../../schemas/deployment.ts'
import { lookOf } from '../format/states.ts'
import { countsOf, countsText } from './words.ts'
import './counts-bar.css'

interface CountsBarProps {
  counts: Deployment['counts']
  /** A thin line, for where little room is. */
  thin?: boolean
}

/** How many devices are how far, as a bar. What it shows is its name, so that it need not be seen. */
export const CountsBar = ({ counts, thin = false }: CountsBarProps) => (
  <span class={thin ? 'counts-bar counts-bar-thin' : 'counts-bar'} role="img" aria-label={countsText(counts) || 'no devices'}>
    {countsOf(counts)
      // What waits is the ground on which the others stand.
      .filter(([state]) => state !== 'pending' && state !== 'deferred')
      .map(([state, count]) => (
        <span
          key={state}
          class={`tone-${lookOf(state, 'deployment').tone} counts-${state}`}
          style={{ width: `${(100 * count) / total(counts)}%` }}
          title={countsText({ [state]: count })}
        />
      ))}
  </span>
)

const total = (counts: Deployment['counts']): number => countsOf(counts).reduce((sum, [, count]) => sum + count, 0)
