import type { Command } from 'commander'
import { exitCodes, usageFailure } from './exit.ts'
import type { Io } from './io.ts'

/** What may follow a path of verbs, as in `task list`. */
interface Step {
  path: string
  words: string[]
  flags: string[]
}

/** `completion`: a script made from the tree of verbs. */
export const printCompletion = (io: Pick<Io, 'out'>, program: Command, shell: string): Promise<number> => {
  const steps = stepsOf(program)
  // The parts have helps of their own, and are verbs to whoever types.
  const root = steps.find((step) => step.path === '')
  root?.words.push('up', 'hub', 'broker', 'controller', 'help')
  const scripts: Record<string, (steps: Step[]) => string> = { bash: bashScript, zsh: zshScript, fish: fishScript }
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
  if (!script) throw usageFailure(`There is no completion for "${shell}"; there is for bash, zsh and fish`)
  io.out(script(steps))
  return Promise.resolve(exitCodes.done)
}

const stepsOf = (command: Command, path: readonly string[] = []): Step[] => [
  {
    path: path.join(' '),
    words: [...command.commands.map((one) => one.name()), ...command.registeredArguments.flatMap((one) => one.argChoices ?? [])],
    flags: [
      ...command.options.flatMap((option) => [option.short, option.long].filter((flag) => flag !== undefined && flag !== null)),
      '--help',
    ],
  },
  ...command.commands.flatMap((one) => stepsOf(one, [...path, one.name()])),
]

/** Finds the path of verbs among the words before the cursor, then offers what may follow it. */
const bashScript = (steps: Step[]): string => `_skein() {
  local path="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    [[ "$word" == -- ]] && return
    case "$path $word" in
${steps
  .filter((step) => step.path !== '')
  .map((step) => `      ${shellQuote(pathWithSpace(step.path))}) path=${shellQuote(step.path)} ;;`)
  .join('\n')}
    esac
  done
  local words
  case "$path" in
${steps.map((step) => `    ${shellQuote(step.path)}) words=${shellQuote([...step.words, ...step.flags].join(' '))} ;;`).join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _skein skein bin/skein
`

const zshScript = (steps: Step[]): string => `#compdef skein
_skein() {
  local path_so_far="" word
  local -a offers
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ "$word" == -- ]] && { _default; return; }
    case "$path_so_far $word" in
${steps
  .filter((step) => step.path !== '')
  .map((step) => `      ${shellQuote(pathWithSpace(step.path))}) path_so_far=${shellQuote(step.path)} ;;`)
  .join('\n')}
    esac
  done
  case "$path_so_far" in
${steps.map((step) => `    ${shellQuote(step.path)}) offers=(${[...step.words, ...step.flags].join(' ')}) ;;`).join('\n')}
  esac
  compadd -- $offers
}
compdef _skein skein
`

const fishScript = (steps: Step[]): string =>
  [
    'complete -c skein -e',
    `function __skein_path
  set -l found
  for word in (commandline -opc)[2..]
    set -l tried (string join ' ' $found $word)
    if contains -- $tried ${steps
      .filter((step) => step.path !== '')
      .map((step) => shellQuote(step.path))
      .join(' ')}
      set found $found $word
    end
  end
  string join ' ' $found
end`,
    ...steps.flatMap((step) => {
      const when = `-n 'test "$(__skein_path)" = "${step.path}"'`
      return [
        ...(step.words.length > 0 ? [`complete -c skein -f ${when} -a ${shellQuote(step.words.join(' '))}`] : []),
        ...step.flags.map(
          (flag) => `complete -c skein ${when} ${flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`}`,
        ),
      ]
    }),
    '',
  ].join('\n')

/** The first verb stands behind an empty path. */
const pathWithSpace = (path: string): string => (path.includes(' ') ? path : ` ${path}`)
const shellQuote = (text: string): string => `'${text}'`
