import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { runCli } from '../../controller/cli/cli.ts'
import { recordingIo } from './cli-io.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-validate-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const now = Date.parse('2026-03-01T12:02:00Z')
const cli = async (...argv: string[]) => {
  const { io, written } = recordingIo({ env: { HOME: '/home/me' }, clock: { ...systemClock, now: () => now } })
  const exitCode = await runCli(io, argv)
  return { exitCode, out: written.out.replaceAll(folder, '.'), err: written.err.replaceAll(folder, '.') }
}
const put = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const ticker = 'name: ticker\ntype: service\nrun_mode: forever\ncommand: [sleep, "5"]\n'
const hello = 'name: hello\ntype: agent\nrun_mode: schedule\nschedule: "*/5 * * * *"\ntimezone: UTC\ncommand: echo hello\n'

describe('skein validate', () => {
  test('prints how many there are, and each with its next firing', async () => {
    put('ticker.yaml', ticker)
    put('hello.yaml', hello)
    expect(await cli('validate', folder)).toEqual({
      exitCode: 0,
      out:
        '2 workloads, nothing wrong\n' +
        'NAME    TYPE     MODE      SCHEDULE     NEXT                      FILE\n' +
        'hello   agent    schedule  */5 * * * *  2026-03-01T12:05:00.000Z  ./hello.yaml\n' +
        'ticker  service  forever   -            -                         ./ticker.yaml\n',
      err: '',
    })
    const { exitCode, out } = await cli('validate', folder, '--json')
    expect(exitCode).toBe(0)
    expect(JSON.parse(out)).toEqual({
      ok: true,
      count: 2,
      workloads: [
        {
          name: 'hello',
          type: 'agent',
          run_mode: 'schedule',
          schedule: '*/5 * * * *',
          timezone: 'UTC',
          next_at: '2026-03-01T12:05:00.000Z',
          file: './hello.yaml',
        },
        expect.objectContaining({ name: 'ticker', schedule: null, next_at: null }),
      ],
      faults: [],
    })
  })

  test('w18: validate checks cron', async () => {
    const file = put('bad.yaml', hello.replace('*/5', '*/5x'))
    const { exitCode, out, err } = await cli('validate', file)
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' })
    expect(err).toMatch(/^\.\/bad\.yaml:4: schedule: must be a cron expression: .*\nskein: 1 fault\n$/)
  })

  test('prints each fault in a line, and as JSON with its place', async () => {
    put('ticker.yaml', `${ticker}restart_dealy: 5\ntimeout: -1\n`)
    put('twice.yml', ticker)
    expect(await cli('validate', folder)).toEqual({
      exitCode: 1,
      out: '',
      err:
        './ticker.yaml:5: restart_dealy: unknown field, did you mean "restart_delay"?\n' +
        './ticker.yaml:6: timeout: must be more than 0\n' +
        'skein: 2 faults\n',
    })
    const { exitCode, out, err } = await cli('validate', folder, '--json')
    expect({ exitCode, err }).toEqual({ exitCode: 1, err: '' })
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      count: 0,
      faults: [{ file: './ticker.yaml', line: 5, field: 'restart_dealy' }, { line: 6 }],
    })
  })

  test('gives templates what is named by flags, and says how where it is missing', async () => {
    const file = put(
      't.yaml',
      'name: t\ntype: script\nrun_mode: forever\ncommand: "{{ device.name }} {{ device.labels.site }} {{ env.HOME }} {{ env.X }}"\n',
    )
    const labelled = ['validate', file, '--label', 'site=b']
    expect((await cli('validate', file)).err).toContain('none is known here; give --device NAME or --label NAME=VALUE\n')
    expect((await cli(...labelled)).err).toContain(':4: device.name: is not defined')
    expect((await cli(...labelled, '--device', 'pi')).err).toContain(
      ':4: env.X: is not set in the environment; set it, or give --env X=VALUE\n',
    )
    expect(await cli(...labelled, '--device', 'pi', '--env', 'X=1')).toMatchObject({ exitCode: 0, err: '' })
  })

  test('takes several paths, and the same file once', async () => {
    const file = put('ticker.yaml', ticker)
    put('hello.yaml', hello)
    expect((await cli('validate', file, folder, file)).out).toMatch(/^2 workloads, nothing wrong\n/)
  })

  test('exits 2 where there is nothing to look at', async () => {
    expect(await cli('validate', join(folder, 'gone'))).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('no such file or folder'),
    })
    mkdirSync(join(folder, 'empty'))
    expect(await cli('validate', join(folder, 'empty'))).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('Cannot find a workload'),
    })
    expect(await cli('validate', '--label', 'x')).toMatchObject({ exitCode: 2 })
  })
})
