import { describe, expect, test } from 'vitest'
import { chooseDevices, countStates, inOrder, sortDevices } from '../../dashboard/web/pages/fleet/choose.ts'
import { sightOf } from '../../dashboard/web/parts/sight.ts'
import type { FleetRow } from '../../schemas/dashboard.ts'
import { fleetRow as row } from './fleet-row.ts'

const names = (rows: readonly FleetRow[]): string[] => rows.map(({ device }) => device)

describe('chooseDevices()', () => {
  const rows = [
    row(1, { labels: { role: 'Builder', region: 'eu' } }),
    row(2, { state: 'offline', labels: { region: 'eu' } }),
    row(10, { drained: true }),
  ]
  const all = { search: '', state: 'all', matching: null } as const

  test('lets everything through without filters', () => {
    expect(chooseDevices(rows, all)).toEqual(rows)
  })

  test('wants every word in the name or a label, however it is written', () => {
    expect(names(chooseDevices(rows, { ...all, search: ' PI-1  ' }))).toEqual(['pi-1', 'pi-10'])
    expect(names(chooseDevices(rows, { ...all, search: 'region=eu build' }))).toEqual(['pi-1'])
    expect(names(chooseDevices(rows, { ...all, search: 'eu us' }))).toEqual([])
  })

  test('filters by state, drained ones and numbers that match', () => {
    expect(names(chooseDevices(rows, { ...all, state: 'offline' }))).toEqual(['pi-2'])
    expect(names(chooseDevices(rows, { ...all, state: 'drained' }))).toEqual(['pi-10'])
    expect(names(chooseDevices(rows, { ...all, matching: new Set([2, 10]) }))).toEqual(['pi-2', 'pi-10'])
  })

  test('countStates() counts what each filter would show', () => {
    expect(countStates(rows)).toEqual({ all: 3, online: 2, stale: 0, offline: 1, drained: 1 })
  })
})

describe('sortDevices()', () => {
  test('reads numbers within names as numbers', () => {
    expect(names(sortDevices([row(10), row(2), row(1)], 'name', 'up'))).toEqual(['pi-1', 'pi-2', 'pi-10'])
    expect(names(sortDevices([row(10), row(2), row(1)], 'name', 'down'))).toEqual(['pi-10', 'pi-2', 'pi-1'])
  })

  test('puts those of which a figure is not known last, either way', () => {
    const rows = [row(1), row(2, { cpu: 5 }), row(3, { cpu: 80 })]
    expect(names(sortDevices(rows, 'cpu', 'up'))).toEqual(['pi-2', 'pi-3', 'pi-1'])
    expect(names(sortDevices(rows, 'cpu', 'down'))).toEqual(['pi-3', 'pi-2', 'pi-1'])
  })

  test('goes by name among equals', () => {
    expect(names(sortDevices([row(3), row(1), row(2, { state: 'offline' })], 'state', 'up'))).toEqual(['pi-2', 'pi-1', 'pi-3'])
  })

  test('sorts five thousand in less than a frame or two', () => {
    const many = Array.from({ length: 5000 }, (_, n) => row((n * 7919) % 5000))
    const began = performance.now()
    for (let i = 0; i < 5; i++) sortDevices(many, 'name', 'up')
    expect((performance.now() - began) / 5).toBeLessThan(200)
  })

  test('inOrder() keeps an order that was found before, with what is new at its end', () => {
    expect(names(inOrder([row(1), row(2), row(3)], [3, 9, 1]))).toEqual(['pi-3', 'pi-1', 'pi-2'])
  })
})

describe('sightOf()', () => {
  const measures = { count: 5000, rowHeight: 50, top: 0, width: 1000, windowHeight: 800 }

  test('makes those in sight and a few around them', () => {
    expect(sightOf(measures)).toEqual({ columns: 1, first: 0, end: 24, seenFirst: 0, seenEnd: 16 })
    expect(sightOf({ ...measures, top: -10_000 })).toEqual({ columns: 1, first: 192, end: 224, seenFirst: 200, seenEnd: 216 })
  })

  test('puts as many beside each other as there is room for', () => {
    expect(sightOf({ ...measures, minWidth: 300 })).toEqual({ columns: 3, first: 0, end: 72, seenFirst: 0, seenEnd: 48 })
    expect(sightOf({ ...measures, width: 200, minWidth: 300 }).columns).toBe(1)
  })

  test('stays within the list, wherever the window is', () => {
    expect(sightOf({ ...measures, top: -400_000 })).toEqual({
      columns: 1,
      first: 4992,
      end: 5000,
      seenFirst: 5000,
      seenEnd: 5000,
    })
    expect(sightOf({ ...measures, top: 3000 })).toEqual({ columns: 1, first: 0, end: 8, seenFirst: 0, seenEnd: 0 })
    expect(sightOf({ ...measures, count: 0 })).toEqual({ columns: 1, first: 0, end: 0, seenFirst: 0, seenEnd: 0 })
  })
})
