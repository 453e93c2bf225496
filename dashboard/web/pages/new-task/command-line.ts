import { shellWord } from '../../format/shell-words.ts'
import type { Draft } from './task-form.ts'

/** The same task as a line for a terminal: `skein run` or `skein agent` where their flags can say it all, or else the task itself as JSON. */
export const commandLineOf = (draft: Draft): string => {
  const words = wordsOf(draft)
  if (words) return words.map(shellWord).join(' ')
  const json = JSON.stringify(withoutDefaults(draft), null, 2)
  // A line of the task itself cannot end it: within JSON every line begins with a brace or a blank.
  return `skein task submit - <<'EOF'\n${json}\nEOF`
}

const withoutDefaults = ({ priority, ...draft }: Draft): object => ({
  ...Object.fromEntries(Object.entries(draft).filter(([, value]) => typeof value === 'string' || Object.keys(value).length > 0)),
  ...(priority === 'medium' ? {} : { priority }),
})

/** What flags exist for, by the place that it has in a task. Those without a name are the work itself. */
const flags: Readonly<Record<string, string>> = {
  ...{ 'target.device': 'device', 'target.selector': 'selector', priority: 'priority' },
  ...{ 'options.timeout_seconds': 'timeout', 'options.retries': 'retries', 'payload.cwd': 'cwd', 'metadata.name': 'name' },
}
const agentFlags: Readonly<Record<string, string>> = {
  ...{ 'payload.agent': 'agent', 'payload.provider': 'provider', 'payload.model': 'model', 'payload.system': 'system' },
  ...{ 'payload.max_turns': 'max-turns', 'payload.session': 'session' },
}

const wordsOf = (draft: Draft): readonly string[] | undefined => {
  const { command, prompt } = draft.payload
  const isAgents = prompt !== undefined
  if (!isAgents && command === undefined) return undefined
  if (draft.type !== (isAgents ? 'agent' : 'command')) return undefined
  const out: string[] = ['skein', isAgents ? 'agent' : 'run']
  for (const part of ['target', 'payload', 'options', 'metadata'] as const)
    for (const [name, value] of Object.entries(draft[part])) {
      const said = flagsOf(`${part}.${name}`, value, isAgents)
      if (!said) return undefined
      out.push(...said)
    }
  if (draft.priority !== 'medium') out.push('--priority', draft.priority)
  for (const tag of draft.tags) out.push('--tag', tag)
  if (isAgents) return [...out, '--', String(prompt)]
  if (typeof command === 'string') return [...out, '--', command]
  // One word alone would be taken for a line for the shell.
  return Array.isArray(command) && command.length > 1 ? [...out, '--', ...command.map(String)] : undefined
}

/** The flags that say this; undefined if there are none. */
const flagsOf = (path: string, value: unknown, isAgents: boolean): readonly string[] | undefined => {
  const flag = flags[path] ?? (isAgents ? agentFlags[path] : undefined)
  if (flag !== undefined) return [`--${flag}`, String(value)]
  switch (path) {
    case 'payload.command':
    case 'payload.prompt':
      return []
    case 'payload.env':
      return Object.entries(value as Readonly<Record<string, string>>).flatMap(([name, one]) => ['--env', `${name}=${one}`]) // so it is read from the form
    case 'payload.approve':
      return typeof value === 'string'
        ? ['--approve', value]
        : (value as { matching: readonly string[] }).matching.flatMap((one) => ['--approve', one]) // the other form of it
    case 'payload.budget': {
      const { tokens, cost } = value as { tokens?: unknown; cost?: unknown } // so it is read from the form
      const parts = [tokens === undefined ? [] : [`${tokens}tokens`], cost === undefined ? [] : [`${cost}usd`]].flat()
      return ['--budget', parts.join(',')]
    }
    case 'payload.secrets':
      return (value as readonly string[]).flatMap((name) => ['--secret', name]) // so it is read from the form
    case 'payload.keep_session':
      return ['--keep-session']
    default:
      return undefined
  }
}
