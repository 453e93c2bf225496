import type { AgentStop } from '../../schemas/agent.ts'

export interface MeterLimits {
  maxTurns: number
  maxRepeats: number
  tokens: number | undefined
  cost: number | undefined
}

/** What was seen of an agent, as far as it counts. */
export type Counted =
  /** The model says something, or wants a tool. */
  | { kind: 'model' }
  | { kind: 'tool_call'; tool: string; input: unknown }
  | { kind: 'tool_result' }
  /** `used` is what the last call of the model took, `cost` what all of them have cost. */
  | { kind: 'usage'; used: number; cost: number | null; currency: string | null }

export interface Figures {
  turns: number
  tokens: number
  cost: number | null
  currency: string | null
}

export interface Exceeded {
  stop: AgentStop
  reason: string
}

/**
 * Counts what an agent uses, and says when it is too much. A turn is a call of the model: it begins with the first sign of one after the prompt, or after a
 * tool has answered. An agent tells what its last call took, maybe more than once: that counts once for each call.
 */
export const createMeter = (limits: MeterLimits) => {
  let figures: Figures = { turns: 0, tokens: 0, cost: null, currency: null }
  let isInTurn = false
  let isUncounted = false
  let last = ''
  let repeats = 0

  const begin = (): void => {
    isUncounted = true
    if (isInTurn) return
    isInTurn = true
    figures = { ...figures, turns: figures.turns + 1 }
  }

  const exceeded = (): Exceeded | undefined => {
    const { turns, tokens, cost, currency } = figures
    if (turns > limits.maxTurns) return { stop: 'max_turns', reason: `${limits.maxTurns} turns are all it has` }
    if (repeats >= limits.maxRepeats) return { stop: 'repeats', reason: `the same call of a tool ${repeats} times in a row` }
    if (limits.tokens !== undefined && tokens > limits.tokens)
      return { stop: 'budget_tokens', reason: `${tokens} tokens of ${limits.tokens}` }
    if (limits.cost !== undefined && cost !== null && cost > limits.cost)
      return { stop: 'budget_cost', reason: `${cost.toFixed(4)} ${currency ?? ''} of ${limits.cost}` }
    return undefined
  }

  return {
    count: (seen: Counted): Exceeded | undefined => {
      switch (seen.kind) {
        case 'model':
          begin()
          break
        case 'tool_call': {
          begin()
          const call = JSON.stringify([seen.tool, seen.input])
          repeats = call === last ? repeats + 1 : 1
          last = call
          break
        }
        case 'tool_result':
          isInTurn = false
          break
        case 'usage': {
          const tokens = within(figures.tokens + (isUncounted ? Math.round(within(seen.used)) : 0))
          const cost = seen.cost === null ? figures.cost : within(seen.cost)
          figures = { ...figures, tokens, cost, currency: seen.currency ?? figures.currency }
          isUncounted = false
        }
      }
      return exceeded()
    },
    /** Somebody has said something: the next call of the model is another turn. */
    prompted: (): void => {
      isInTurn = false
    },
    figures: (): Figures => figures,
  }
}
/** An agent may tell any number; what is made of it has to be one that everybody can read. */
const within = (value: number): number => (value > 0 ? Math.min(value, 1e12) : 0)

export type Meter = ReturnType<typeof createMeter>
