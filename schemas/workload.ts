import { z } from 'zod'
import { agentFields } from './agent.ts'
import { idPattern } from './ids.ts'
import { CommandWords, Folder, noNul, ScriptText, VariableName } from './process.ts'

/** What a workload is; by itself it only says how people think of it. Any other type is one that a plugin provides. */
export const workloadTypes = ['agent', 'script', 'service'] as const
/** When it runs: at the instants of a schedule, always, or a number of times. */
export const runModes = ['schedule', 'forever', 'n_times'] as const
export type RunMode = (typeof runModes)[number]

export const restartPolicies = ['always', 'on-failure', 'never'] as const
export const stopSignals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGKILL'] as const
export type StopSignal = (typeof stopSignals)[number]

const maxSeconds = 366 * 24 * 3600
const Seconds = z.number().positive().max(maxSeconds)
const Wait = z.number().min(0).max(maxSeconds)
const Count = (most: number) => z.number().int().min(1).max(most)

/** In YAML a port is a number and a switch a truth value; in an environment all is text. */
const WorkloadEnv = z.record(
  VariableName,
  z.preprocess((value) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value), noNul(z.string())),
)

export const WorkloadName = z
  .string()
  .regex(idPattern, "a workload's name is 1 to 63 of a-z, 0-9 and -, and does not start with -")

/** What follows the end of a run. Waits double from `delay_seconds` to `max_delay_seconds` while runs fail one after the other. */
export const Restart = z.strictObject({
  policy: z.enum(restartPolicies).optional(),
  delay_seconds: Wait.default(5),
  max_delay_seconds: Wait.default(300),
  /** Up to so much of a wait is added to it by chance. */
  jitter: z.number().min(0).max(1).default(0.1),
  /** A run that lasted so long makes forget what failed before it. */
  reset_after_seconds: Seconds.default(60),
  /** So many runs in a row that failed, and together lasted less than so long: no further one is started. */
  crash_loop: z
    .strictObject({ starts: Count(1000).default(5), within_seconds: Seconds.default(60) })
    .or(z.literal(false))
    .prefault({}),
})

/** How it is known that a workload is well; exactly one of the first five. */
export const Health = z.strictObject({
  command: CommandWords.optional(),
  http: z.url({ protocol: /^https?$/ }).optional(),
  tcp: z
    .string()
    .regex(/^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'must be host:port')
    .optional(),
  /** It is well while it writes: a line (with this in it) at least every so often. */
  log: z.strictObject({ within_seconds: Seconds, contains: z.string().min(1).optional() }).optional(),
  /** The name of a check that a plugin provides. */
  plugin: z.string().min(1).max(63).optional(),
  /** What that is called with. */
  params: z.record(z.string(), z.unknown()).optional(),
  interval_seconds: Seconds.default(10),
  timeout_seconds: Seconds.default(5),
  healthy_after: Count(1000).default(1),
  unhealthy_after: Count(1000).default(3),
  /** So long after a start no failure counts. */
  start_period_seconds: Wait.default(0),
  on_unhealthy: z.enum(['restart', 'report']).default('restart'),
})
export type Health = z.infer<typeof Health>

/** What a workload waits for before it starts. */
export const Dependency = z.strictObject({
  name: WorkloadName,
  /** `healthy` is also true of one that runs and has no check; `completed` of one that has done its work. */
  condition: z.enum(['started', 'healthy', 'completed']).default('healthy'),
})
export type Dependency = z.infer<typeof Dependency>

export const Sandbox = z.strictObject({
  network: z.enum(['host', 'none']).default('host'),
  filesystem: z.enum(['read_write', 'read_only']).default('read_write'),
  private_tmp: z.boolean().default(false),
})
export type Sandbox = z.infer<typeof Sandbox>

/** A file that is put into the workload's folder before it starts. */
export const WorkloadFile = z.strictObject({
  path: noNul(z.string().min(1).max(512)),
  content: z.string(),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'must be three octal digits, as in "0644"')
    .default('0644'),
})

/** The fields of a workload, by their names in YAML. What holds between them is checked in `readWorkload`. */
export const workloadFields = {
  name: WorkloadName,
  /** Which there are beside ours is known where there are plugins: `readWorkload` is told. */
  type: z.string(),
  run_mode: z.enum(runModes),
  version: z.string().max(128).optional(),
  tags: z.array(z.string().min(1).max(128)).max(64).default([]),

  // What runs: exactly one of command, script, module and prompt; of a plugin's type, what the plugin makes of params.
  command: CommandWords.optional(),
  script: ScriptText.optional(),
  args: z.array(noNul(z.string())).optional(),
  module: noNul(z.string().min(1).max(512)).optional(),
  entry_point: z
    .string()
    .regex(/^[A-Za-z_$][A-Za-z0-9_$.]*$/, 'must be the name of a function')
    .optional(),
  runtime: z.enum(['python', 'node']).optional(),
  params: z.record(z.string(), z.unknown()).default({}),
  prompt: z
    .string()
    .min(1)
    .max(64 * 1024)
    .optional(),

  /** In place of a prompt: a recipe, as a text of several lines or the path of a file on the device; `params` fill it. */
  recipe: z
    .string()
    .min(1)
    .max(64 * 1024)
    .optional(),
  // What is said of an agent beside its prompt.
  ...agentFields,

  env: WorkloadEnv.default({}),
  cwd: Folder.optional(),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$|^\d{1,9}$/, 'must be a user of this machine, by name or number')
    .optional(),
  files: z.array(WorkloadFile).max(256).default([]),

  // When it runs.
  schedule: z.string().min(1).max(256).optional(),
  timezone: z.string().min(1).max(64).optional(),
  overlap: z.enum(['skip', 'queue', 'replace']).default('skip'),
  /** What becomes of firings that were missed, at most `missed_within_seconds` ago. */
  missed: z.enum(['skip', 'latest', 'all']).default('skip'),
  missed_within_seconds: Seconds.default(3600),
  jitter_seconds: z.number().min(0).max(86_400).default(0),
  max_runs: Count(1_000_000_000).optional(),
  timeout_seconds: Seconds.optional(),

  restart: Restart.prefault({}),
  stop_signal: z.enum(stopSignals).default('SIGTERM'),
  stop_grace_seconds: z.number().min(0).max(3600).default(10),
  health: Health.optional(),
  depends_on: z.array(Dependency).max(64).default([]),

  // What it may use.
  memory_limit_mb: Count(16 * 1024 * 1024).optional(),
  cpu_nice: z.number().int().min(-20).max(19).optional(),
  cpu_weight: Count(10_000).optional(),
  /** Of one processor, in percent: 150 is one and a half. */
  cpu_limit_percent: z.number().min(1).max(102_400).optional(),
  pids_limit: Count(4_194_304).optional(),
  open_files_limit: Count(1_048_576).optional(),
  sandbox: Sandbox.optional(),

  /** `file` lets the program write straight into a file: faster, but what it writes is neither cut nor timed. */
  output: z.enum(['pipe', 'file', 'none']).default('pipe'),
  log: z
    .strictObject({
      max_file_mb: z.number().min(0.01).max(10_000).default(10),
      max_files: z.number().int().min(1).max(1000).default(5),
      max_line_bytes: z
        .number()
        .int()
        .min(64)
        .max(64 * 1024 * 1024)
        .default(1024 * 1024),
      /** Names of what plugins provide: each line passes through all of them before it is kept. */
      processors: z.array(z.string().min(1).max(63)).min(1).max(16).optional(),
    })
    .prefault({}),
} as const

/** A workload as it is kept: every field by its real name, defaults filled in. It never changes; another text is another spec. */
export const WorkloadSpec = z.strictObject(workloadFields)
export type WorkloadSpec = z.infer<typeof WorkloadSpec>
