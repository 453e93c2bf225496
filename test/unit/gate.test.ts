import { expect, test } from 'vitest'
import { createGate } from '../../broker/gate.ts'
import { usualLimits } from '../../broker/limits.ts'

const gateOf = (limits: Partial<typeof usualLimits>) => createGate<string>({ ...usualLimits, ...limits })

test('createGate() counts the connections of each address by itself, and forgets one that has left', () => {
  const gate = gateOf({ connectionsPerAddress: 2 })
  for (const one of ['a', 'b']) gate.enter(one, '192.0.2.1')
  expect(gate.faultOf('192.0.2.1')).toMatch('from this address')
  expect(gate.faultOf('192.0.2.2')).toBeUndefined()
  gate.leave('a', '192.0.2.1')
  expect(gate.faultOf('192.0.2.1')).toBeUndefined()
  gate.leave('a', '192.0.2.1') // leaving twice counts once
  gate.enter('c', '192.0.2.1')
  expect(gate.faultOf('192.0.2.1')).toMatch('from this address')
})

test.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])('createGate() bounds %s by the bound on all only', (address) => {
  const gate = gateOf({ connectionsPerAddress: 1, connections: 4 })
  for (const one of ['a', 'b', 'c', 'd']) {
    expect(gate.faultOf(address)).toBeUndefined()
    gate.enter(one, address)
  }
  expect(gate.faultOf(address)).toBe('there are too many connections')
})

test('createGate() sends away the oldest of those that have said nothing', () => {
  const gate = gateOf({ silentConnections: 2 })
  expect(['a', 'b'].map((one) => gate.enter(one, '::1'))).toEqual([undefined, undefined])
  gate.spoke('a')
  expect(gate.enter('c', '::1')).toBeUndefined()
  expect(gate.enter('d', '::1')).toBe('b')
})
