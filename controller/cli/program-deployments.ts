import type { Command } from 'commander'
import { deploymentStates } from '../../schemas/deployment.ts'
import type { Act } from './act.ts'
import type { DeployFlags } from './deploy.ts'
import { flagsOf, limitFlag, numberFlag, pairFlag, severalFlag, spanFlag, wholeFlag, withGlobals } from './flags.ts'
import type { GlobalFlags, Io } from './io.ts'
import type { ReleaseFlags } from './release.ts'

type Verb = (parent: Command, usage: string, about: string) => Command

/** The verbs that make releases and roll them out. */
export const addDeploymentVerbs = (program: Command, device: Command, io: Io, act: Act, verb: Verb): void => {
  const releaseFlags = (command: Command): ReleaseFlags => ({
    ...flagsOf(command),
    ...command.opts<Omit<ReleaseFlags, keyof GlobalFlags>>(),
  })

  const release = withGlobals(program.command('release').description('make, list and remove releases')).enablePositionalOptions()
  verb(release, 'create', 'make a release of a folder: workloads/*.yaml, and the files that they need')
    .argument('<folder>')
    .requiredOption('--name <name>', 'its name, as in sensors')
    .requiredOption('--version <version>', 'its version, as in 1.4.0')
    .option('--bundle-url <url>', 'where devices are to get the bundle, instead of from the controller')
    .option('--dry-run', 'only tell what would be in it')
    .action((folder: string, _options, command: Command) =>
      act(import('./release.ts').then((one) => one.createRelease(io, releaseFlags(command), folder))),
    )
  verb(release, 'list', 'list releases, newest first')
    .option('--limit <count>', 'at most so many (1 to 1000, default 50)', limitFlag)
    .option('--name <name>', 'only of this name')
    .action((_options, command: Command) =>
      act(import('./release.ts').then((one) => one.listReleases(io, releaseFlags(command)))),
    )
  verb(release, 'get', 'show a release')
    .argument('<name@version>')
    .action((ref: string, _options, command: Command) =>
      act(import('./release.ts').then((one) => one.getRelease(io, releaseFlags(command), ref))),
    )
  verb(release, 'delete', 'remove a release that no device runs or may go back to')
    .argument('<name@version>')
    .action((ref: string, _options, command: Command) =>
      act(import('./release.ts').then((one) => one.deleteRelease(io, releaseFlags(command), ref))),
    )
  verb(release, 'prune', 'remove releases that nothing needs, beyond the newest of each name')
    .option('--keep <count>', 'how many of each name stay (default 10)', wholeFlag)
    .option('--dry-run', 'only tell which would go')
    .action((_options, command: Command) =>
      act(import('./release.ts').then((one) => one.pruneReleases(io, releaseFlags(command)))),
    )

  withGlobals(program.command('deploy').description('roll a release out over devices, in batches, judged by health'))
    .argument('<name@version>')
    .option('--selector <selector>', 'to devices that match, as in site=berlin')
    .option('--device <name>', 'to this device (repeatable)', severalFlag)
    .option('--all', 'to all devices')
    .option('--batch <share>', 'so many at a time: a count, or a share as 10% (default 1)')
    .option('--canary <count>', 'so many go first, by themselves', wholeFlag)
    .option('--max-failures <count>', 'one more that fails ends it (default 0)', wholeFlag)
    .option('--max-failure-ratio <ratio>', 'the same as a share of those that have come to an end, 0 to 1', numberFlag)
    .option('--min-healthy <span>', 'well for so long without a break is healthy, as in 30s (default 10s)', spanFlag)
    .option('--health-timeout <span>', 'a device that is not healthy by then has failed (default 60s)', spanFlag)
    .option('--max-unavailable <share>', 'so many may be without the release in good health at a time')
    .option('--max-unavailable-per <label>', 'the same for each value of this label')
    .option('--pause <span>', 'wait so long between batches', spanFlag)
    .option('--late <how>', 'what devices get that come back late: apply, apply_if_not_superseded (default), hold')
    .option('--progress-deadline <span>', 'a device that gets no further for so long has failed (default 600s)', spanFlag)
    .option('--no-rollback', 'leave what was done when it fails')
    .option('--env <name=value>', 'set a variable of its workloads there (repeatable)', pairFlag)
    .option('--dry-run', 'only tell which devices would get it, and in which batch')
    .option('--watch', 'follow it to its end; exits 0 if it is completed, 1 if not')
    .action((ref: string, _options, command: Command) =>
      act(
        import('./deploy.ts').then((one) =>
          one.deploy(io, { ...flagsOf(command), ...command.opts<Omit<DeployFlags, keyof GlobalFlags>>() }, ref),
        ),
      ),
    )

  const deployment = withGlobals(
    program.command('deployment').description('watch, pause, end and roll back deployments'),
  ).enablePositionalOptions()
  const list = verb(deployment, 'list', 'list deployments, newest first')
    .option('--limit <count>', 'at most so many (default 20)', limitFlag)
    .option('--state <states>', `only of these states: ${deploymentStates.join(', ')}`)
    .option('--release <name>', 'only of releases of this name')
    .option('--device <name>', 'only those that have this device')
  list.action((_options, command: Command) => {
    const {
      limit,
      state,
      release: name,
      device: on,
    } = command.opts<{ limit?: number; state?: string; release?: string; device?: string }>()
    const filters = Object.fromEntries(
      Object.entries({ state, release: name, device: on }).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    )
    return act(
      import('./deployment.ts').then((one) =>
        one.listDeployments(io, { ...flagsOf(command), ...(limit === undefined ? {} : { limit }) }, filters),
      ),
    )
  })
  const byId = (usage: string, about: string, run: (id: string, command: Command) => Promise<number>): Command =>
    verb(deployment, usage, about)
      .argument('<deployment>')
      .action((id: string, _options, command: Command) => act(run(id, command)))
  byId('get', 'show a deployment with its devices and its history', (id, command) =>
    import('./deployment.ts').then((one) => one.getDeployment(io, flagsOf(command), id)),
  )
  byId('watch', 'follow a deployment to its end', (id, command) =>
    import('./deploy.ts').then((one) => one.watchDeployment(io, flagsOf(command), id)),
  )
  const orders = {
    pause: 'begin no further device',
    resume: 'go on with one that is paused',
    cancel: 'end it; what has been done stays',
    rollback: 'give every device that it has touched what it had before',
  } as const
  for (const [what, about] of Object.entries(orders)) {
    const one = byId(what, about, (id, command) =>
      import('./deployment.ts').then((module) =>
        module.orderDeployment(
          io,
          { ...flagsOf(command), ...command.opts<{ rollback?: boolean }>() },
          what as keyof typeof orders, // a key of it
          id,
        ),
      ),
    )
    if (what === 'cancel') one.option('--rollback', 'and give every device what it had before')
  }

  verb(device, 'plan', 'show what a device runs, what it is to run, and why the two are not the same')
    .argument('<device>')
    .action((name: string, _options, command: Command) =>
      act(import('./device-plan.ts').then((one) => one.showPlan(io, flagsOf(command), name))),
    )
}
