import { accepted } from '../schemas/errors.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import { agentLabelOf, readTask } from '../schemas/task.ts'
import { laneOf, readLane } from './core/lanes.ts'
import { previewOf } from './core/preview.ts'
import type { Handlers } from './handlers.ts'
import { noMatch } from './intake.ts'
import type { Views } from './views.ts'

/** What would become of a task, if it were submitted now. Nothing of it is kept. */
export const previewing = ({ views }: { views: Views }) =>
  ({
    'task.preview': (_, raw) => {
      const read = readTask(raw)
      if (!read.ok) return read
      const { target } = read.task
      const asked = {
        lane: readLane(laneOf(target)),
        isFanout: target.fanout === 'all',
        needs: target.device === undefined ? undefined : agentLabelOf(read.task),
      }
      const limits = { noMatch: noMatch.error.message, mostBytes: maxOutputBytes * 0.9 }
      return accepted(previewOf(asked, views.candidates(), limits))
    },
  }) satisfies Partial<Handlers>
