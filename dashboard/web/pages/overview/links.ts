import type { Attention } from '../../../../schemas/dashboard.ts'

/** States of tasks that did not do what was asked for. */
export const failedStates = 'failed,timed_out,lost,rejected,expired'

/** Where somebody goes who wants to do something about it; undefined where no page helps. */
export const attentionHref = ({ kind, device, workload, task_id, deployment }: Attention): string | undefined => {
  switch (kind) {
    case 'approval':
      return '/approvals'
    case 'crash_loop':
    case 'workload_failed':
    case 'workload_unhealthy':
      return device === undefined ? '/fleet' : `/fleet/${device}${workload === undefined ? '' : `?log=${workload}`}`
    case 'disk_full':
    case 'device_refuses':
      return device === undefined ? '/fleet' : `/fleet/${device}`
    case 'device_stale':
      return device === undefined ? '/fleet?state=stale' : `/fleet/${device}`
    case 'device_offline':
      return device === undefined ? '/fleet?state=offline' : `/fleet/${device}`
    case 'run_lost':
      return task_id === undefined ? '/tasks?state=lost' : `/tasks/${task_id}`
    case 'deployment_failed':
    case 'deployment_rolled_back':
    case 'deployment_paused':
      return deployment === undefined ? '/deployments' : `/deployments/${deployment}`
    case 'queue_stuck':
      return '/tasks?state=queued'
    case 'controller_away':
    case 'database_damaged':
      return undefined
  }
}
