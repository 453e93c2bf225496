import type { DeploymentTarget } from '../../schemas/deployment.ts'
import { type Outcome, refused } from '../../schemas/errors.ts'
import { matches, parseSelector } from '../../schemas/selector.ts'
import type { Fleet, FleetDevice } from '../fleet.ts'

export interface Targets {
  devices: FleetDevice[]
  others: { device: string; why: string }[]
}

/** Which devices a deployment is for, by name, and why the others are not in it. Drained ones take part: only work keeps away from them. */
export const targetsOf = (fleet: Fleet, target: DeploymentTarget): Outcome<Targets> => {
  const { devices: names, selector } = target
  if (names === undefined && selector === undefined) {
    const message = 'must name devices, or have a selector; an empty selector is all devices'
    return refused('invalid', `target: ${message}`, [
      { field: 'target', code: 'required', message, accepted: ['devices', 'selector'] },
    ])
  }
  const unknown = names?.filter((name) => !fleet.devices.has(name)) ?? []
  if (unknown.length > 0) {
    const message = `no device named ${unknown
      .slice(0, 5)
      .map((name) => `"${name}"`)
      .join(', ')} has joined`
    return refused('not_found', `target.devices: ${message}`, [{ field: 'target.devices', code: 'not_found', message }])
  }
  const parsed = parseSelector(selector ?? '')
  if (!parsed.ok)
    return refused('invalid', `target.selector: ${parsed.reason}`, [
      { field: 'target.selector', code: 'invalid_selector', message: parsed.reason },
    ])
  const wanted = names === undefined ? undefined : new Set(names)
  const found: Targets = { devices: [], others: [] }
  for (const device of [...fleet.devices.values()].sort((a, b) => (a.row.name < b.row.name ? -1 : 1))) {
    if (wanted && !wanted.has(device.row.name)) found.others.push({ device: device.row.name, why: 'it is not named' })
    else if (!matches(parsed.requirements, device.labels))
      found.others.push({ device: device.row.name, why: `it does not match ${selector}` })
    else found.devices.push(device)
  }
  if (found.devices.length === 0) return refused('no_match', 'no device matches the target')
  return { ok: true, output: found }
}
