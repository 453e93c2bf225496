import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Log } from '../../base/log.ts'
import { startLoopDelay } from '../../base/loop-delay.ts'
import { createCounter, createHistogram, expositionOf, gauge, processFamilies } from '../../base/metrics.ts'
import { openMetricsDoor } from '../../base/metrics-door.ts'
import { outputOf, startDesk } from './desk.ts'

const hold = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('expositionOf()', () => {
  test('writes help, type and samples; values of labels are escaped', () => {
    const text = expositionOf([
      gauge('a', 'An a.', { 'x"y\n\\': 1.5 }),
      gauge('b', 'A b.', Number.POSITIVE_INFINITY),
      gauge('c', 'None.', {}),
    ])
    expect(text).toBe('# HELP a An a.\n# TYPE a gauge\na{state="x\\"y\\n\\\\"} 1.5\n# HELP b A b.\n# TYPE b gauge\nb +Inf\n')
  })

  test('a counter counts by labels; what has not happened yet shows as 0', () => {
    const counter = createCounter('n_total', 'N.', [{ state: 'failed' }])
    counter.add({ state: 'ok' })
    counter.add({ state: 'ok' }, 2)
    expect(expositionOf([counter.family()])).toContain('n_total{state="failed"} 0\nn_total{state="ok"} 3\n')
  })

  test('buckets of a histogram count all that is not larger', () => {
    const histogram = createHistogram('h_seconds', 'H.', [0.1, 1])
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value)
    expect(expositionOf([histogram.family()])).toContain(
      'h_seconds_bucket{le="0.1"} 2\nh_seconds_bucket{le="1"} 3\nh_seconds_bucket{le="+Inf"} 4\nh_seconds_sum 7.65\nh_seconds_count 4\n',
    )
  })

  test('of the process there are the usual names', () => {
    const text = expositionOf(processFamilies('hub', '1.2.3', { p50_ms: 1, p99_ms: 20, max_ms: 50 }))
    expect(text).toContain('skein_build_info{part="hub",version="1.2.3"} 1\n')
    expect(text).toContain('skein_event_loop_delay_seconds{quantile="0.99"} 0.02\n')
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds'])
      expect(Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])).toBeGreaterThan(0)
  })
})

describe('startLoopDelay()', () => {
  test('measures a step that holds the loop, and warns of those that last, together', async () => {
    const warnings: { longest_ms: number; steps: number }[] = []
    const log = { warn: (facts: { longest_ms: number; steps: number }) => warnings.push(facts) } as unknown as Log // it only warns
    const delay = startLoopDelay({ log, everyMs: 5, warnMs: 60, warnEveryMs: 100 })
    try {
      await sleep(20)
      hold(120)
      await sleep(20)
      expect(delay.report().max_ms).toBeGreaterThan(100)
      expect(delay.report().p50_ms).toBeLessThan(delay.report().max_ms)
      expect(warnings.length).toBe(1)
      expect(warnings[0]?.longest_ms).toBeGreaterThan(100)
    } finally {
      await delay.close()
    }
  })
})

describe('openMetricsDoor()', () => {
  test('serves /metrics and nothing else, on loopback', async () => {
    const door = await openMetricsDoor(0, () => 'x 1\n')
    try {
      const url = `http://127.0.0.1:${door.port}`
      expect(await (await fetch(`${url}/metrics`)).text()).toBe('x 1\n')
      expect((await fetch(url)).status).toBe(404)
      expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(404)
    } finally {
      await door.close()
    }
  })
})

describe('metrics of the controller', () => {
  test('count what was committed: ends, dispatches, operations', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit({ target: { device: 'd1' } })
    await desk.advance(100)
    await desk.report('d1', `${id}-1`, 'running')
    await desk.report('d1', `${id}-1`, 'succeeded', { exit_code: 0 })
    await desk.ask('task.get', { task_id: 'none' })
    await desk.ask('nonsense', {})
    const text = expositionOf(await desk.settle(desk.controller.metrics()))
    for (const line of [
      'skein_tasks_total{state="succeeded"} 1',
      'skein_tasks_total{state="failed"} 0',
      'skein_tasks{state="succeeded"} 1',
      'skein_dispatch_seconds_count 1',
      'skein_queue_depth 0',
      'skein_devices{state="online"} 1',
      'skein_operations_total{operation="task.submit",code="ok"} 1',
      'skein_operations_total{operation="task.get",code="not_found"} 1',
      'skein_operations_total{operation="unknown",code="unknown_operation"} 1',
    ])
      expect(text.split('\n')).toContain(line)
    expect(outputOf(await desk.ask('system.status', {}))).toMatchObject({
      tasks: { succeeded: 1 },
      devices: { online: 1 },
      damage: [],
    })
    await desk.close()
  })
})
