import { useEffect } from 'preact/hooks'
import { useLive } from '../../live/use-live.ts'
import type { PageProps } from '../../page.ts'
import { LinkButton } from '../../parts/button.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { later } from '../../shell/later.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { workloadViewIn } from './workload-view.ts'

// Who reads a log does not wait for the rest, nor the other way round.
const WholeDevice = later(() => import('./whole-device.tsx').then((one) => one.WholeDevice))
const WorkloadPage = later(() => import('./workload.tsx').then((one) => one.WorkloadPage))

/** One device: how it is, what it runs, what can be done with it. */
export const DevicePage = ({ params }: PageProps) => {
  const device = params['device'] ?? ''
  return <Device key={device} device={device} />
}

const Device = ({ device }: { device: string }) => {
  const { data, error } = useLive({ view: 'device', device })
  const { query } = useQuery()
  const workload = workloadViewIn(query)
  // While the first word of the device is on its way, too.
  useEffect(workload ? WorkloadPage.preload : WholeDevice.preload, [])
  if (workload)
    return (
      <WorkloadPage
        key={workload.name}
        device={device}
        name={workload.name}
        view={workload.view}
        status={data?.reported?.workloads.find(({ name }) => name === workload.name)}
      />
    )
  const up = { href: '/fleet', label: 'Fleet' }
  if (error || data?.row === null)
    return (
      <>
        <PageHead title={device} up={up} />
        {error ? (
          <Fault error={error} />
        ) : (
          <Empty icon="question" title="No device of this name is in the fleet">
            <p>It may have been removed, or it has not joined yet.</p>
            <LinkButton href="/fleet">To the fleet</LinkButton>
          </Empty>
        )}
      </>
    )
  if (!data?.row)
    return (
      <>
        <PageHead title={device} up={up} />
        <Skeleton lines={10} />
      </>
    )
  return <WholeDevice shown={data} row={data.row} />
}
