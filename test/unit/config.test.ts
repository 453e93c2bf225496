import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ConfigResult, readConfig } from '../../base/config.ts'
import type { Part } from '../../base/settings.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-config-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const problemsOf = <P extends Part>(result: ConfigResult<P>) =>
  result.kind === 'wrong' ? Object.fromEntries(result.problems.map((one) => [one.key, one.message])) : result.kind
const configOf = <P extends Part>(result: ConfigResult<P>) => {
  if (result.kind !== 'config') throw new Error(JSON.stringify(result))
  return result.config
}

describe('readConfig()', () => {
  test('gives the defaults of the part', () => {
    const up = configOf(readConfig('up', { argv: [], env: { SKEIN_DATA: folder } }))
    expect(up).toMatchObject({
      data: folder,
      fleet: 'default',
      mqtt_port: 1883,
      ws_port: 8083,
      devices: 1,
      apart: false,
      labels: {},
    })
    expect(configOf(readConfig('device', { argv: [], env: {} }))).toMatchObject({
      data: '/var/lib/skein',
      name: undefined,
      spool_mb: 64,
    })
  })

  test('lets flags beat the environment, that the file, that the defaults', () => {
    writeFileSync(join(folder, 'skein.yaml'), 'mqtt_port: 1\nws_port: 2\ntls_port: 3\nname: other-part\n')
    const env = { SKEIN_DATA: folder, SKEIN_MQTT_PORT: '10', SKEIN_WS_PORT: '20', SKEIN_FLEET: '' }
    expect(configOf(readConfig('broker', { argv: ['--mqtt-port=100'], env }))).toMatchObject({
      mqtt_port: 100,
      ws_port: 20,
      tls_port: 3,
      fleet: 'default',
    })
  })

  test('reads labels from flags and from YAML alike', () => {
    writeFileSync(join(folder, 'my.yaml'), 'labels:\n  role: builder\n  floor: 2\n')
    const fromFile = configOf(readConfig('device', { argv: ['--config', join(folder, 'my.yaml')], env: {} }))
    const fromFlag = configOf(readConfig('device', { argv: ['--labels', 'role=builder, floor=2'], env: {} }))
    expect(fromFile.labels).toEqual({ role: 'builder', floor: '2' })
    expect(fromFlag.labels).toEqual(fromFile.labels)
  })

  test('lists every problem with its key, where it was set and what would do', () => {
    writeFileSync(join(folder, 'skein.yaml'), 'mqtt_prot: 1\nws_port: many\n')
    const argv = ['--data', folder, '--devces', '3', '--http-port', '70000', 'extra', '--log-level']
    const result = problemsOf(readConfig('up', { argv, env: { SKEIN_FLEET: 'Not A Name', SKEIN_APART: 'perhaps' } }))
    expect(result).toMatchObject({
      '--devces': 'unknown flag, did you mean --devices?',
      extra: 'unexpected argument',
      log_level: 'needs a value (--log-level)',
      http_port: 'must be a whole number from 0 to 65535, not "70000" (--http-port)',
      apart: 'must be true or false, not "perhaps" (SKEIN_APART)',
    })
    expect(result).toHaveProperty(['mqtt_prot'], expect.stringContaining('did you mean "mqtt_port"?'))
    expect(result).toHaveProperty(['ws_port'], expect.stringContaining(join(folder, 'skein.yaml')))
    expect(result).toHaveProperty(['fleet'], expect.stringContaining('SKEIN_FLEET'))
    expect(Object.keys(result)).toHaveLength(8)
  })

  test('refuses to listen beyond loopback without a certificate, unless told', () => {
    const env = { SKEIN_DATA: folder }
    expect(problemsOf(readConfig('broker', { argv: ['--bind', '0.0.0.0'], env }))).toHaveProperty('bind')
    expect(problemsOf(readConfig('broker', { argv: ['--bind', '0.0.0.0', '--insecure'], env }))).toBe('config')
    expect(problemsOf(readConfig('broker', { argv: ['--bind', '127.0.0.9'], env }))).toBe('config')
    expect(problemsOf(readConfig('broker', { argv: ['--tls-cert', 'nowhere.pem'], env }))).toEqual({
      tls_key: expect.stringContaining('is missing'),
      tls_cert: expect.stringContaining('no such file'),
    })
    expect(problemsOf(readConfig('broker', { argv: ['--mqtt-port', '5', '--ws-port', '5'], env }))).toEqual({
      ws_port: '5 is mqtt_port already',
    })
  })

  test('never shows a token', () => {
    expect(JSON.stringify(readConfig('device', { argv: ['--token', '', '--url', 'http://x'], env: {} }))).toContain('token')
    const result = readConfig('device', { argv: ['--token', 'abc', '--token-file', 'f'], env: {} })
    expect(problemsOf(result)).toEqual({ token_file: 'give token or token_file, not both' })
    expect(JSON.stringify(result)).not.toContain('abc')
  })

  test('refuses a file that is missing, too large, or not keys and values', () => {
    const file = join(folder, 'a.yaml')
    const read = () => problemsOf(readConfig('up', { argv: ['--config', file], env: {} }))
    expect(read()).toEqual({ config: `no such file "${file}"` })
    writeFileSync(file, `# ${'x'.repeat(300_000)}`)
    expect(read()).toHaveProperty('config', expect.stringContaining('more than'))
    writeFileSync(file, '- 1\n- 2')
    expect(read()).toHaveProperty('config', expect.stringContaining('keys and values'))
    writeFileSync(file, 'a: [')
    expect(read()).toHaveProperty('config', expect.stringContaining('cannot read'))
  })

  test('makes the help of each part from the table', () => {
    const help = readConfig('device', { argv: ['--nonsense', '-h'], env: {} })
    expect(help).toMatchObject({ kind: 'help', text: expect.stringMatching(/--spool-mb MB .*SKEIN_SPOOL_MB, default 64/) })
    expect(JSON.stringify(help)).not.toContain('--mqtt-port')
  })
})
