import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../base/clock.ts'
import { pathsIn } from '../../base/paths.ts'
import { nameOfHost } from '../host-name.ts'
import { readMembership } from '../membership.ts'
import { serviceHelp } from './help.ts'
import { type Order, readOrder, type ServiceVerb } from './order.ts'
import { readPackage } from './package.ts'
import { type Outcome, perform } from './perform.ts'
import { type Before, joinTokenFileOf, type Plan, planInstall, planUninstall, planUpgrade, type Step, stepText } from './plan.ts'
import { hasSystemd, lastLines, unitState } from './systemd.ts'
import { type Installed, installedIn, programFolderOf, unitFileOf } from './unit.ts'

/** Exit codes of the CLI. */
const exitCodes = { done: 0, failed: 1, usage: 2, refused: 3 } as const

/** It will not be done, and why. */
class Refusal extends Error {}

/** The root of `device install`, `upgrade` and `uninstall`; `folder` is the package that it runs from. */
export const runService = async (verb: ServiceVerb, argv: readonly string[], folder: string): Promise<void> => {
  const read = readOrder(verb, argv, process.cwd())
  if (read.kind === 'help') return void process.stdout.write(serviceHelp[verb])
  if (read.kind === 'wrong') {
    for (const problem of read.problems) process.stderr.write(`skein device ${verb}: ${problem}\n`)
    process.exitCode = exitCodes.usage
    return
  }
  const { order } = read
  try {
    process.exitCode = await carryOut(order, folder)
  } catch (error) {
    const isRefusal = error instanceof Refusal
    tell(order, { ok: false, error: { code: isRefusal ? 'refused' : 'failed', message: textOf(error) } }, [
      `skein: cannot ${verb}: ${textOf(error)}`,
    ])
    process.exitCode = isRefusal ? exitCodes.refused : exitCodes.failed
  }
}

const carryOut = async (order: Order, folder: string): Promise<number> => {
  const { verb, unit } = order
  if (!order.isDryRun) {
    if (!hasSystemd()) throw new Refusal('this machine is not run by systemd (there is no /run/systemd/system)')
    if (process.getuid?.() !== 0) throw new Refusal('only root may; try it with sudo')
  }
  const { plan, installed, note } = planOf(order, folder)
  const facts = { unit: `${unit}.service`, device: installed.device, data: installed.data }
  if (order.isDryRun) {
    const lines = plan.steps.flatMap((step) => [stepText(step), ...contentOf(step)])
    tell(order, { ok: true, ...facts, dry_run: true, steps: plan.steps.map(shown), undo: plan.undo.map(shown) }, lines)
    return exitCodes.done
  }
  if (plan.steps.length === 0) {
    tell(order, { ok: true, ...facts, changed: false }, [note])
    return exitCodes.done
  }
  const progress = (text: string): void => void (order.isJson || process.stderr.write(`${text}\n`))
  const outcome = await perform(plan, { unit, clock: systemClock, waitMs: order.waitMs, progress, tell: stepText })
  if (outcome.kind === 'done') {
    const { mainPid, statusText } = unitState(unit)
    tell(order, { ok: true, ...facts, changed: true, ...(verb === 'uninstall' ? {} : { pid: mainPid, status: statusText }) }, [
      note,
      ...(statusText === '' ? [] : [statusText]),
    ])
    return exitCodes.done
  }
  tellFailure(order, outcome, facts)
  return exitCodes.failed
}

const tellFailure = (order: Order, { step, reason, undone }: Extract<Outcome, { kind: 'failed' }>, facts: object): void => {
  const log = step.do === 'wait' || step.do === 'systemctl' ? lastLines(order.unit, 15) : []
  const back =
    undone === 'all'
      ? 'The program from before runs again.'
      : undone === 'nothing'
        ? undefined
        : `The program from before could not be brought back: ${undone.reason}`
  const error = { code: 'failed', step: step.do, message: reason, undone: undone === 'all' }
  tell(order, { ok: false, ...facts, error, log }, [
    `skein: cannot ${order.verb}: could not ${stepText(step)}: ${reason}`,
    ...(back === undefined ? [] : [back]),
    ...(log.length > 0 ? [`The end of "journalctl -u ${order.unit}":`, ...log.map((line) => `  ${line}`)] : []),
  ])
}

const planOf = (order: Order, folder: string): { plan: Plan; installed: Installed; note: string } => {
  const { verb, unit } = order
  const text = readIfThere(unitFileOf(unit))
  const known = text === undefined ? undefined : installedIn(text)
  if (text !== undefined && known === undefined)
    throw new Refusal(`${unitFileOf(unit)} was not made by "skein device install"; take it away, or choose a --unit-name`)
  const now = hasSystemd() ? unitState(unit) : { activeState: 'inactive' }
  const before = (program: Installed['program']): Before => ({
    unitText: text,
    activeState: now.activeState,
    current: program.kind === 'prefix' ? targetOf(programFolderOf({ program })) : undefined,
  })
  if (verb === 'install') {
    const installed = installedBy(order, folder)
    const { joinToken, token } = order.device ?? {}
    const plan = planInstall(installed, readPackage(folder), { joinToken, token }, before(installed.program))
    return { plan, installed, note: `${unit} is installed, enabled and running. Its log: journalctl -u ${unit}` }
  }
  if (known === undefined) throw new Refusal(`there is no ${unitFileOf(unit)}; "skein device install" makes it`)
  if (verb === 'uninstall') {
    const stays = order.purge ? '' : ` Its data stays in ${known.data}.`
    return { plan: planUninstall(known, othersThan(unit), order.purge), installed: known, note: `${unit} is gone.${stays}` }
  }
  const pack = readPackage(order.from ?? (known.program.kind === 'in-place' ? known.program.folder : folder))
  if (known.program.kind === 'in-place' && order.from !== undefined)
    throw new Refusal(`${unit} runs in place, from ${known.program.folder}: build it there, and upgrade without --from`)
  const was = before(known.program)
  const plan = planUpgrade(known, pack, was)
  const isThere = was.current?.endsWith(`/${pack.release}`) === true && !plan.steps.some((step) => step.do === 'write')
  if (isThere) return { plan: { steps: [], undo: [] }, installed: known, note: `${unit} has ${pack.release} already.` }
  const isOff = now.activeState === 'inactive' || now.activeState === 'failed'
  return { plan, installed: known, note: `${unit} ${isOff ? 'does not run; when it does it is' : 'runs'} ${pack.release}.` }
}

const installedBy = ({ unit, device, prefix, isInPlace, env, user }: Order, folder: string): Installed => {
  if (device === undefined) throw new Error('Cannot install without settings')
  const { config, flags, joinToken } = device
  const { data } = config
  const known = readMembership(pathsIn(data).membership)
  const joins = joinToken !== undefined || config.join_token_file !== undefined
  // As the daemon itself would take it; from now on it does not hang on the name of the machine any more.
  const name = config.name ?? known?.device ?? (joins ? nameOfHost() : 'local')
  const hasToken = device.token !== undefined || config.token_file !== undefined || existsSync(pathsIn(data).device(name).token)
  if (!joins && !hasToken)
    throw new Refusal(`device "${name}" has no token in ${data}; give a join token with --token or --join-token-file, and --url`)
  const joining = joinToken === undefined ? [] : ['--join-token-file', joinTokenFileOf(data)]
  return {
    unit,
    program: isInPlace ? { kind: 'in-place', folder } : { kind: 'prefix', folder: prefix },
    node: process.execPath,
    data,
    device: name,
    flags: [...flags, '--name', name, ...joining],
    env,
    user,
  }
}

const othersThan = (unit: string): Installed[] =>
  readdirSync('/etc/systemd/system')
    .filter((name) => name.endsWith('.service') && name !== `${unit}.service`)
    .flatMap((name) => installedIn(readIfThere(join('/etc/systemd/system', name)) ?? '') ?? [])

/** Steps as JSON tells them: without secrets. */
const shown = (step: Step): Step => (step.do === 'write' && step.secret ? { ...step, text: '…' } : step)
const contentOf = (step: Step): string[] =>
  step.do === 'write' && !step.secret
    ? step.text
        .trimEnd()
        .split('\n')
        .map((line) => `    ${line}`)
    : []

const tell = (order: Pick<Order, 'isJson'>, json: { ok: boolean; [field: string]: unknown }, lines: readonly string[]): void => {
  if (order.isJson) process.stdout.write(`${JSON.stringify(json)}\n`)
  else (json.ok ? process.stdout : process.stderr).write(`${lines.join('\n')}\n`)
}

const readIfThere = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined)
const targetOf = (link: string): string | undefined => (existsSync(link) ? realpathSync(link) : undefined)
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
