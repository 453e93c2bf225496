import type { AgentStop } from '../../../schemas/agent.ts'

/** Why an agent has ended, in a sentence. */
export const stopWords = (stop: string): string => (Object.hasOwn(sentences, stop) ? sentences[stop as AgentStop] : stop)

const sentences: Readonly<Record<AgentStop, string>> = {
  completed: 'The agent came to an answer.',
  max_turns: 'It has used all the turns that it had.',
  budget_tokens: 'It has used all the tokens that it had.',
  budget_cost: 'It has spent all that it might cost.',
  repeats: 'It did the same again and again.',
  silence: 'It gave no sign of life for too long.',
  timed_out: 'Its time was over.',
  refused: 'The model did not want to do this.',
  model_error: 'The model could not be reached, or failed.',
  no_answer: 'It ended without an answer.',
  agent_exited: 'The agent’s program ended before its work was done.',
  agent_failed: 'The agent could not begin, or said what could not be understood.',
  daemon_lost: 'Skein ended on the device, and the agent with it.',
  stopped: 'Somebody has stopped it.',
}
