import type { Attention } from '../../../../schemas/dashboard.ts'
import { countText } from '../../format/amounts.ts'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Time } from '../../parts/time.tsx'
import { attentionHref } from './links.ts'

/** What somebody should look at, the most urgent first. */
export const AttentionCard = ({ attention, count }: { attention: readonly Attention[]; count: number }) => (
  <Card title="Needs attention" flush aside={count > attention.length && `${countText(count)} in all`}>
    {attention.length === 0 ? (
      <Empty icon="check" title="Nothing needs you">
        <p>Devices that go away, workloads and deployments that fail, and agents that wait for a word are shown here.</p>
      </Empty>
    ) : (
      <ul class="attention">
        {attention.map((one) => (
          <li key={keyOf(one)}>
            <Row one={one} />
          </li>
        ))}
      </ul>
    )}
  </Card>
)

const keyOf = (one: Attention): string =>
  [one.kind, one.device, one.workload, one.task_id, one.approval, one.deployment, one.says].join(' ')

const Row = ({ one }: { one: Attention }) => {
  const href = attentionHref(one)
  const tone = one.severity === 'critical' ? 'tone-bad' : 'tone-warn'
  const face = (
    <>
      <Icon name={one.severity === 'critical' ? 'warning' : 'clock'} size={16} />
      <span class="attention-what">
        {one.device !== undefined && (
          <strong>
            <Plain text={one.device} cut />
          </strong>
        )}
        <Plain text={one.says} />
      </span>
      {one.at !== null && <Time at={one.at} />}
    </>
  )
  return href === undefined ? (
    <div class={`attention-row ${tone}`}>{face}</div>
  ) : (
    <a class={`attention-row ${tone}`} href={href}>
      {face}
    </a>
  )
}
