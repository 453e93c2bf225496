import { describe, expect, test } from 'vitest'
import { permissionsIn } from '../../broker/permissions.ts'
import { filterOf, permissionsOf, type Role, roles, type TopicName, topicTable } from '../../schemas/topics.ts'

const fleet = 'yard'
const names = Object.keys(topicTable) as TopicName[] // Object.keys forgets the keys' type
const permissionsFor = permissionsIn(fleet)
const me = 'pump-1'
const other = 'pump-12' // begins with the name of the first

/** A topic of the entry in which every place that names somebody names `who`. */
const topicFor = (name: TopicName, who: string): string => {
  const places: Record<string, string> = { client: who, device: who, operation: 'task/submit', rest: 'a/b' }
  return filterOf(fleet, name, places).replaceAll('+', 'x1')
}

/** What the table says, told once more in other words. */
const isAllowed = (side: 'writers' | 'readers', name: TopicName, role: Role, isOwn: boolean): boolean => {
  const { pattern } = topicTable[name]
  if (!topicTable[name][side].some((one) => one === role)) return false
  if (role === 'controller' || isOwn) return true
  if (pattern.includes('{client}')) return false
  return !(role === 'device' && pattern.includes('{device}'))
}

describe('permissionsIn() grants what the table of topics says', () => {
  for (const role of roles)
    for (const name of names)
      for (const who of [me, other])
        test(`${role}: ${name} of ${who === me ? 'its own' : 'somebody else'}`, () => {
          const permissions = permissionsFor(role, me)
          const topic = topicFor(name, who)
          expect(permissions.mayPublish(topic)).toBe(isAllowed('writers', name, role, who === me))
          expect(permissions.mayReceive(topic)).toBe(isAllowed('readers', name, role, who === me))
          expect(permissions.maySubscribe(topic)).toBe(isAllowed('readers', name, role, who === me))
          expect(permissions.mayRetain(topic)).toBe(topicTable[name].retained)
        })

  for (const role of roles)
    test(`${role}: every filter of its own grant, and none that is wider`, () => {
      const permissions = permissionsFor(role, me)
      for (const filter of permissionsOf(fleet, role, me).subscribe) expect(permissions.maySubscribe(filter)).toBe(true)
      for (const filter of [
        '#',
        '+/#',
        'skein/#',
        `skein/v1/${fleet}/#`,
        `skein/v1/+/controller/state`,
        `skein/v1/${fleet}/+/+/+`,
      ])
        expect(permissions.maySubscribe(filter)).toBe(false)
    })
})

describe('permissionsIn() is not fooled', () => {
  test.each([fleet, 'skein', 'v1', 'device', 'request', 'state'])(
    'by a subject that is named "%s" like a level of every topic',
    (name) => {
      for (const role of roles)
        for (const entry of names)
          for (const who of [name, other]) {
            const permissions = permissionsFor(role, name)
            const topic = topicFor(entry, who)
            expect(permissions.mayPublish(topic), topic).toBe(isAllowed('writers', entry, role, who === name))
            expect(permissions.mayReceive(topic), topic).toBe(isAllowed('readers', entry, role, who === name))
            expect(permissions.maySubscribe(topic), topic).toBe(isAllowed('readers', entry, role, who === name))
          }
    },
  )

  const admin = permissionsFor('admin', 'admin')
  const device = permissionsFor('device', me)

  test.each([
    ['another subject', `skein/v1/${fleet}/request/viewer/task/submit`],
    ['a subject that begins like ours', `skein/v1/${fleet}/request/admin-x/task/submit`],
    ['a level + where the subject stands', `skein/v1/${fleet}/request/+/task/submit`],
    ['a level # below our own', `skein/v1/${fleet}/request/admin/#`],
    ['a level + below our own', `skein/v1/${fleet}/request/admin/+`],
    ['another fleet', 'skein/v1/yard-2/request/admin/task/submit'],
    ['another version', `skein/v2/${fleet}/request/admin/task/submit`],
    ['a level before ours', `/skein/v1/${fleet}/request/admin/task/submit`],
    ['upper case', `skein/v1/${fleet}/request/ADMIN/task/submit`],
    ['$SYS', '$SYS/broker/uptime'],
    ['a $ before our own', `$skein/v1/${fleet}/request/admin/task/submit`],
    ['a shared subscription', `$share/g/skein/v1/${fleet}/request/admin/task/submit`],
    ['NUL', `skein/v1/${fleet}/request/admin/task\u0000`],
    ['a new line', `skein/v1/${fleet}/request/admin/task\n`],
    ['bytes that were not UTF-8', `skein/v1/${fleet}/request/admin/\ufffd`],
    ['nothing', ''],
    ['the root', 'skein'],
  ])('a publish to %s', (_, topic) => {
    expect(admin.mayPublish(topic)).toBe(false)
  })

  test.each([
    ['all', '#'],
    ['all of one level', '+'],
    ["everybody's replies", `skein/v1/${fleet}/reply/+/#`],
    ["another's replies", `skein/v1/${fleet}/reply/admin-x/#`],
    ["everybody's replies, one level", `skein/v1/${fleet}/reply/+`],
    ['commands', `skein/v1/${fleet}/device/+/command/+`],
    ['all of a device', `skein/v1/${fleet}/device/${me}/#`],
    ['all of an event and below', `skein/v1/${fleet}/event/#`],
    ['$SYS', '$SYS/#'],
    ['a shared subscription', `$share/g/skein/v1/${fleet}/event/+`],
    ['a wildcard within a level', `skein/v1/${fleet}/event/t+`],
    ['a # that is not the last', `skein/v1/${fleet}/reply/admin/#/x`],
    ['a # within a level', `skein/v1/${fleet}/reply/admin/x#`],
    ['NUL', `skein/v1/${fleet}/reply/admin/\u0000`],
    ['nothing', ''],
  ])('an admin that subscribes to %s', (_, filter) => {
    expect(admin.maySubscribe(filter)).toBe(false)
  })

  test('a device whose name begins like another', () => {
    expect(device.mayPublish(`skein/v1/${fleet}/device/${other}/run`)).toBe(false)
    expect(device.maySubscribe(`skein/v1/${fleet}/device/${other}/command/+`)).toBe(false)
    expect(device.maySubscribe(`skein/v1/${fleet}/device/+/command/+`)).toBe(false)
    expect(device.mayReceive(`skein/v1/${fleet}/device/${other}/command/run`)).toBe(false)
  })

  test('a device that commands itself', () => {
    expect(device.mayPublish(`skein/v1/${fleet}/device/${me}/command/run`)).toBe(false)
    expect(device.mayPublish(`skein/v1/${fleet}/device/${me}/desired`)).toBe(false)
  })

  test('a role that only joins reads its reply and nothing else', () => {
    const join = permissionsFor('join', 'join-1')
    expect(join.mayPublish(`skein/v1/${fleet}/request/join-1/device/join`)).toBe(true)
    expect(join.maySubscribe(`skein/v1/${fleet}/reply/join-1/#`)).toBe(true)
    expect(join.maySubscribe(`skein/v1/${fleet}/controller/state`)).toBe(false)
    expect(join.maySubscribe(`skein/v1/${fleet}/event/task`)).toBe(false)
  })

  test('whatever the role asks for, its own requests arrive: the controller answers "forbidden"', () => {
    const viewer = permissionsFor('viewer', 'eve')
    expect(viewer.mayPublish(`skein/v1/${fleet}/request/eve/task/submit`)).toBe(true)
    expect(viewer.mayPublish(`skein/v1/${fleet}/request/eve/no/such/thing`)).toBe(true)
    expect(viewer.mayRetain(`skein/v1/${fleet}/request/eve/task/submit`)).toBe(false)
  })
})
