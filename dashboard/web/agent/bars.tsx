import type { AgentResult } from '../../../schemas/agent.ts'
import type { Task } from '../../../schemas/task.ts'
import { countText } from '../format/amounts.ts'
import { Plain } from '../parts/plain.tsx'

type Used = Pick<AgentResult, 'turns' | 'tokens' | 'cost' | 'currency'>

/** What the agent has used, of what it may use. */
export const Bars = ({ payload, usage }: { payload: Task['payload']; usage: Used | null }) => {
  const { turns = 0, tokens = 0, cost = null, currency = null } = usage ?? {}
  const money = (amount: number): string => String(Number(amount.toFixed(4)))
  return (
    <dl class="usage">
      <Bar name="Turns" used={turns} most={payload.max_turns ?? 100} text={countText} />
      <Bar name="Tokens" used={tokens} most={payload.budget?.tokens} text={countText} />
      {(cost !== null || payload.budget?.cost !== undefined) && (
        <Bar name={`Cost in ${currency ?? 'USD'}`} used={cost ?? 0} most={payload.budget?.cost} text={money} />
      )}
      <div>
        <dt>Model</dt>
        <dd>
          <Plain
            text={[payload.provider, payload.model].filter((one) => one !== undefined).join(' ') || 'as the device has it'}
          />
        </dd>
      </div>
    </dl>
  )
}

interface BarProps {
  name: string
  used: number
  most: number | undefined
  text: (value: number) => string
}

const Bar = ({ name, used, most, text }: BarProps) => {
  const part = most === undefined ? 0 : Math.min(1, used / most)
  return (
    <div class={part >= 0.9 ? 'tone-bad' : part >= 0.7 ? 'tone-warn' : undefined}>
      <dt>
        <Plain text={name} />
      </dt>
      <dd>
        <span class="number">
          {text(used)}
          {most !== undefined && <span class="muted"> of {text(most)}</span>}
        </span>
        {most !== undefined && (
          <span class="percent-bar" aria-hidden="true">
            <span style={{ width: `${part * 100}%` }} />
          </span>
        )}
      </dd>
    </div>
  )
}
