import { z } from 'zod'
import { Deployment, DeploymentDevice, deploymentDeviceStates, deploymentStates, NewDeployment } from './deployment.ts'
import { ReportedRelease } from './desired.ts'
import { deviceStates } from './device.ts'
import { DeviceName, Instant } from './ids.ts'
import { limit, many, type Operation, page, yesOrNo } from './operation.ts'
import { ReleaseName } from './release.ts'

export const DeploymentId = z.string().regex(/^[a-z0-9-]{1,63}$/, 'a deployment id is 1 to 63 of a-z, 0-9 and -')
const byId = z.strictObject({ deployment_id: DeploymentId })

/** What can be asked about deployments, and about what devices are to run. */
export const deploymentOperations = {
  'deployment.create': {
    summary: 'Roll a release out; with dry_run only say which devices would get it, in which batch, and which would not',
    role: 'operator',
    http: { method: 'post', path: '/deployments', status: 201 },
    input: NewDeployment.extend({ dry_run: yesOrNo.default(false) }),
    output: Deployment.partial().extend({
      dry_run: z.boolean().optional(),
      /** Of a dry run: each device that would get it, at most 1000 of them. */
      would: z
        .array(
          z.looseObject({
            device: DeviceName,
            /** Null for one that has no turn, since it runs the release already. */
            batch: z.number().int().nullable(),
            state: z.enum(deviceStates),
            previous: z.string().nullable(),
            why: z.string().nullable(),
          }),
        )
        .optional(),
      /** And those that would not, with the reason, at most 200. */
      others: z.array(z.looseObject({ device: DeviceName, why: z.string() })).optional(),
      other_count: z.number().int().optional(),
    }),
  },
  'deployment.list': {
    summary: 'List deployments, newest first',
    role: 'viewer',
    http: { method: 'get', path: '/deployments', status: 200 },
    input: z.strictObject({
      limit: limit(100, 20),
      cursor: page.cursor,
      state: many(z.enum(deploymentStates)).optional(),
      release: ReleaseName.optional(),
      device: DeviceName.optional(),
    }),
    output: z.looseObject({ deployments: z.array(Deployment), cursor: z.string().nullable() }),
  },
  'deployment.get': {
    summary: 'Show a deployment with its devices, in the order of their batches',
    role: 'viewer',
    http: { method: 'get', path: '/deployments/{deployment_id}', status: 200 },
    input: byId.extend({
      limit: limit(1000, 200),
      cursor: page.cursor,
      device_state: many(z.enum(deploymentDeviceStates)).optional(),
    }),
    output: Deployment.extend({
      device_list: z.array(DeploymentDevice),
      /** What happened, newest last: of the deployment itself. */
      history: z.array(
        z.looseObject({ at: Instant, state: z.enum(deploymentStates), reason: z.string().nullable(), by: z.string().nullable() }),
      ),
      cursor: z.string().nullable(),
    }),
  },
  'deployment.pause': {
    summary: 'Begin no further device; those that have begun come to their end',
    role: 'operator',
    http: { method: 'post', path: '/deployments/{deployment_id}/pause', status: 200 },
    input: byId,
    output: Deployment,
  },
  'deployment.resume': {
    summary: 'Go on with one that is paused, and let devices in that were held back',
    role: 'operator',
    http: { method: 'post', path: '/deployments/{deployment_id}/resume', status: 200 },
    input: byId,
    output: Deployment,
  },
  'deployment.cancel': {
    summary: 'End a deployment; what has been done stays, unless it is to be rolled back',
    role: 'operator',
    http: { method: 'post', path: '/deployments/{deployment_id}/cancel', status: 200 },
    input: byId.extend({ rollback: yesOrNo.default(false) }),
    output: Deployment,
  },
  'deployment.rollback': {
    summary: 'Give every device that this deployment has touched what it had before',
    role: 'operator',
    http: { method: 'post', path: '/deployments/{deployment_id}/rollback', status: 200 },
    input: byId,
    output: Deployment,
  },
  'device.plan': {
    summary: 'What a device runs, what it is to run, and why the two are not the same',
    role: 'viewer',
    http: { method: 'get', path: '/devices/{device}/plan', status: 200 },
    input: z.strictObject({ device: DeviceName }),
    output: z.looseObject({
      device: DeviceName,
      state: z.enum(deviceStates),
      /** The revision that it is to have, and that it says it has. */
      desired_revision: z.number().int(),
      reported_revision: z.number().int().nullable(),
      /** Whether it is as it is to be. */
      in_sync: z.boolean(),
      releases: z.array(
        z.looseObject({
          name: ReleaseName,
          desired: z.looseObject({ version: z.string(), digest: z.string(), deployment: z.string() }).nullable(),
          reported: ReportedRelease.nullable(),
          why: z.string().nullable(),
        }),
      ),
    }),
  },
} as const satisfies Record<string, Operation>
