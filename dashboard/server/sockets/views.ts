import type { Clock } from '../../../base/clock.ts'
import type { DeviceShown, View } from '../../../schemas/dashboard.ts'
import type { Picture, PictureChange } from '../picture/picture.ts'

/** What each view shows of the picture, and what a change of the picture is to it. Logs are no part of the picture. */
export const createViews = (picture: Picture, clock: Clock) => {
  /** All of what a view shows now; undefined for those that are fed, or told of changes only. */
  const shown = (at: View): unknown => {
    switch (at.view) {
      case 'overview':
        return picture.overview()
      case 'fleet':
        return { rows: picture.devices.rows(clock.now(), clock.mono()) }
      case 'device':
        return deviceShown(at.device)
      case 'approvals':
        return { pending: picture.approvals() }
      case 'tasks':
        return { tasks: [], more: 0 }
      case 'task':
      case 'deployments':
      case 'deployment':
        return { changed: 0 }
      case 'log':
      case 'events':
      case 'workload-log':
        return undefined
    }
  }

  const deviceShown = (device: string): DeviceShown => picture.devices.device(device, clock.now(), clock.mono())

  /** What a change of the picture is for those who look at a view; undefined if it is nothing to them. */
  const changed = (at: View, change: PictureChange): unknown => {
    switch (at.view) {
      case 'overview':
        return change.overview
      case 'fleet':
        return change.fleet
      case 'device':
        return change.devices.has(at.device) ? deviceShown(at.device) : undefined
      case 'tasks':
        return change.missed ? { tasks: change.tasks?.tasks ?? [], more: (change.tasks?.more ?? 0) + 1 } : change.tasks
      case 'task':
        return change.missed || change.taskIds.has(at.task_id) ? { changed: clock.now() } : undefined
      case 'deployments':
        return change.missed || change.releases || change.deploymentIds.size > 0 ? { changed: clock.now() } : undefined
      case 'deployment':
        return change.missed || change.deploymentIds.has(at.deployment_id) || change.progressIds.has(at.deployment_id)
          ? { changed: clock.now() }
          : undefined
      case 'approvals':
        return change.missed || change.approvals ? { pending: picture.approvals() } : undefined
      case 'log':
      case 'events':
      case 'workload-log':
        return undefined
    }
  }

  return { shown, changed }
}
