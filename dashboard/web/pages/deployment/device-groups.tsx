import { type ComponentChildren, Fragment } from 'preact'
import { useState } from 'preact/hooks'
import type { DeploymentDevice } from '../../../../schemas/deployment.ts'
import { CountsBar } from '../../deployments/counts-bar.tsx'
import { countsText } from '../../deployments/words.ts'
import { countText, plural } from '../../format/amounts.ts'
import { Icon } from '../../parts/icon.tsx'
import { moveByArrows } from '../../parts/move-by-arrows.ts'
import { Plain } from '../../parts/plain.tsx'
import { State } from '../../parts/state.tsx'
import { Since } from '../../parts/time.tsx'
import { type Section, sectionTitle } from './sections.ts'

const columns = ['Device', 'State', 'Before', 'Took'] as const
/** So many rows, and so many batches, are made at once. */
const rowsAtOnce = 100
const sectionsAtOnce = 60

/** The devices of a deployment, batch by batch. */
export const DeviceGroups = ({ sections }: { sections: readonly Section[] }) => {
  const [most, setMost] = useState(sectionsAtOnce)
  return (
    <div class="table-box">
      <table class="table groups" onKeyDown={moveByArrows}>
        <caption class="unseen">Devices by batch</caption>
        <Head />
        {sections.slice(0, most).map((section) => (
          <Group key={section.from ?? 'none'} section={section} />
        ))}
        {sections.length > most && (
          <tbody>
            <More
              onMore={() => setMost(most + sectionsAtOnce)}
            >{`Show ${plural(sections.length - most, 'more batch', 'more batches')}`}</More>
          </tbody>
        )}
      </table>
    </div>
  )
}

/** Some of the devices, whatever their batch. */
export const DeviceRows = ({ devices }: { devices: readonly DeploymentDevice[] }) => (
  <div class="table-box">
    <table class="table groups" onKeyDown={moveByArrows}>
      <caption class="unseen">Devices</caption>
      <Head />
      <tbody>
        <Rows devices={devices} />
      </tbody>
    </table>
  </div>
)

const Head = () => (
  <thead>
    <tr>
      {columns.map((title) => (
        <th key={title} scope="col" class={title === 'Took' ? 'right' : title === 'State' ? 'wide' : undefined}>
          {title}
        </th>
      ))}
    </tr>
  </thead>
)

const Group = ({ section }: { section: Section }) => {
  const [isShown, setShown] = useState<Readonly<Record<string, boolean>>>({})
  const { open, folds, counts } = section
  const isMany = open.length + folds.length > 1 || folds.length > 0
  return (
    <tbody>
      <tr class="group-head">
        <th scope="rowgroup" colSpan={columns.length}>
          <span class="group-title">
            {sectionTitle(section)}
            {isMany && (
              <>
                <CountsBar counts={counts} thin />
                <span class="muted">{countsText(counts)}</span>
              </>
            )}
          </span>
        </th>
      </tr>
      <Rows devices={open} />
      {folds.map(({ of, devices }) => (
        <Fragment key={of}>
          <tr class="group-fold">
            <td colSpan={columns.length}>
              <button
                type="button"
                aria-expanded={isShown[of] === true}
                onClick={() => setShown({ ...isShown, [of]: !isShown[of] })}
              >
                <Icon name={isShown[of] ? 'down' : 'right'} size={14} />
                {foldText[of](devices.length)}
              </button>
            </td>
          </tr>
          {isShown[of] && <Rows devices={devices} />}
        </Fragment>
      ))}
    </tbody>
  )
}

const foldText: Readonly<Record<Section['folds'][number]['of'], (count: number) => string>> = {
  well: (count) => `${plural(count, 'device')} as it should be`,
  back: (count) => `${plural(count, 'device')} rolled back`,
  away: (count) => `${plural(count, 'device is', 'devices are')} away`,
  waiting: (count) => `${plural(count, 'device waits for its turn', 'devices wait for their turn')}`,
}

const Rows = ({ devices }: { devices: readonly DeploymentDevice[] }) => {
  const [most, setMost] = useState(rowsAtOnce)
  return (
    <>
      {devices.slice(0, most).map((device) => (
        <Row key={device.device} device={device} />
      ))}
      {devices.length > most && (
        <More onMore={() => setMost(most + rowsAtOnce)}>
          {`Show ${countText(Math.min(rowsAtOnce, devices.length - most))} more of ${countText(devices.length - most)}`}
        </More>
      )}
    </>
  )
}

const More = ({ children, onMore }: { children: ComponentChildren; onMore: () => void }) => (
  <tr class="group-fold">
    <td colSpan={columns.length}>
      <button type="button" onClick={onMore}>
        <Icon name="down" size={14} />
        {children}
      </button>
    </td>
  </tr>
)

const Row = ({ device: { device, state, reason, progress, previous, started_at, ended_at } }: { device: DeploymentDevice }) => {
  const says = progress ?? reason
  return (
    <tr>
      <td data-label="Device">
        <a href={`/fleet/${device}`} data-row>
          <Plain text={device} cut />
        </a>
      </td>
      <td data-label="State" class="wide">
        <span class="device-state">
          <State state={state} of="deployment" />
          {says !== null && (
            <span class="muted">
              <Plain text={says} />
            </span>
          )}
        </span>
      </td>
      <td data-label="Before">
        {previous !== null ? (
          <Plain text={previous} cut />
        ) : started_at === null ? (
          <span class="muted none">–</span>
        ) : (
          <span class="muted">nothing</span>
        )}
      </td>
      <td data-label="Took" class="right">
        <Since from={started_at} to={ended_at} />
      </td>
    </tr>
  )
}
