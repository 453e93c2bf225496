import { useState } from 'preact/hooks'
import { splitWords } from '../../format/shell-words.ts'
import { Check, Choice } from '../../parts/choice.tsx'
import { FormText } from '../../parts/form-text.tsx'
import { Plain } from '../../parts/plain.tsx'
import type { FieldsProps } from './fields.tsx'

/** What a command is. */
export const CommandFields = (props: FieldsProps) => {
  const { form, change } = props
  const isWords = form.commandAs === 'words'
  return (
    <>
      <Choice
        label="Written as"
        value={form.commandAs}
        options={[
          ['words', 'Words'],
          ['lines', 'One argument a line'],
          ['shell', 'Line for the shell'],
        ]}
        hint={
          form.commandAs === 'shell'
            ? 'Run by /bin/sh -c: pipes, variables and && work.'
            : 'The program is started as it is, without a shell: quotes hold words together, and $ and | are letters.'
        }
        onChange={(commandAs) => change({ commandAs })}
      />
      <FormText
        {...props}
        name="command"
        of="payload.command"
        label="Command"
        rows={form.commandAs === 'lines' ? 5 : 3}
        placeholder={examples[form.commandAs]}
        mono
      />
      {isWords && <Words line={form.command} />}
    </>
  )
}

const examples = { words: 'df -h /var', lines: 'df\n-h\n/var', shell: 'df -h | grep /var' } as const

/** How a line is taken apart. */
const Words = ({ line }: { line: string }) => {
  const split = splitWords(line)
  if (!split.ok || split.words.length === 0) return null
  return (
    <ol class="words" aria-label="Program and arguments">
      {split.words.map((word, index) => (
        <li key={index}>{word === '' ? <span class="muted">empty</span> : <Plain text={word} mono />}</li>
      ))}
    </ol>
  )
}

/** What a script is. */
export const ScriptFields = (props: FieldsProps) => (
  <>
    <FormText
      {...props}
      name="script"
      of="payload.script"
      label="Script"
      hint="Its first line names what runs it."
      rows={12}
      mono
    />
    <FormText {...props} name="args" of="payload.args" label="Arguments" hint="One to a line." rows={2} mono />
  </>
)

/** What an agent is asked, and how far it may go. */
export const AgentFields = (props: FieldsProps) => {
  const { form, change, faultOf } = props
  // As it begins: it must not close under somebody who types.
  const [isOpen] = useState(
    () => [form.system, form.agent, form.secrets, form.servers, form.session].some((text) => text !== '') || form.keep,
  )
  return (
    <>
      <FormText {...props} name="prompt" of="payload.prompt" label="What it is to do" hint="In your own words." rows={6} />
      <div class="field-pair">
        <FormText {...props} name="provider" of="payload.provider" label="Provider" placeholder="openai" />
        <FormText {...props} name="model" of="payload.model" label="Model" placeholder="gpt-4o" />
      </div>
      <Choice
        label="Ask before it uses tools"
        value={form.approve}
        options={[
          ['none', 'Never'],
          ['tools', 'Always'],
          ['matching', 'Some tools'],
        ]}
        error={faultOf('payload.approve')}
        onChange={(approve) => change({ approve })}
      />
      {form.approve === 'matching' && (
        <FormText
          {...props}
          name="patterns"
          of="payload.approve.matching"
          label="Tools to ask about"
          hint="Names or beginnings of what they do, one to a line; * stands for anything."
          placeholder={'shell*\n*rm *'}
          rows={3}
          mono
        />
      )}
      <div class="field-pair">
        <FormText {...props} name="tokens" of="payload.budget.tokens" label="At most so many tokens" placeholder="200000" />
        <FormText {...props} name="cost" of="payload.budget.cost" label="At most so many dollars" placeholder="2" />
        <FormText {...props} name="turns" of="payload.max_turns" label="At most so many turns" placeholder="100" />
      </div>
      <details class="form-more" open={isOpen}>
        <summary>More about the agent</summary>
        <div class="form">
          <FormText {...props} name="system" of="payload.system" label="What it is to keep in mind" rows={3} />
          <div class="field-pair">
            <FormText {...props} name="agent" of="payload.agent" label="Agent" placeholder="goose" />
            <FormText
              {...props}
              name="secrets"
              of="payload.secrets"
              label="Secrets"
              hint="Names of what the device holds."
              placeholder="OPENAI_API_KEY"
              mono
            />
          </div>
          <FormText
            {...props}
            name="servers"
            of="payload.mcp_servers"
            label="Servers of tools"
            hint="A list, as JSON."
            placeholder={'[{ "name": "files", "command": "npx", "args": ["-y", "…"] }]'}
            rows={4}
            mono
          />
          <FormText {...props} name="session" of="payload.session" label="Go on with the conversation of this run" mono />
          <Check
            label="Keep the conversation"
            hint="It stays on the device for a week, so that a later run can go on with it."
            value={form.keep}
            onChange={(keep) => change({ keep })}
          />
        </div>
      </details>
    </>
  )
}
