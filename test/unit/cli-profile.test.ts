import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCli } from '../../controller/cli/cli.ts'
import { profileFileOf } from '../../controller/cli/profiles.ts'
import { findWhere } from '../../controller/cli/where.ts'
import { makeCertificate } from '../harness/certificates.ts'
import { recordingIo } from './cli-io.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'skein-profile-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const jwt = (sub: string) => `x.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.y`
const cli = async (...argv: string[]) => {
  const { io, written } = recordingIo({ env: { XDG_CONFIG_HOME: home } })
  const exitCode = await runCli(io, argv)
  return { exitCode, ...written }
}
const add = (name: string, ...more: string[]) =>
  cli('profile', 'add', name, '--url', `mqtt://${name}`, '--token', jwt('ann'), ...more)

test('profile: the first is active, another is used by name or by "use", tokens are kept for the person alone and never shown', async () => {
  expect(await add('north')).toMatchObject({ exitCode: 0, out: 'profile north is kept and active\n' })
  expect(await add('south', '--fleet', 'swans')).toMatchObject({ exitCode: 0 })
  const env = { XDG_CONFIG_HOME: home }
  expect(statSync(profileFileOf(env)).mode & 0o777).toBe(0o600)
  expect(findWhere({}, env)).toMatchObject({ where: { url: 'mqtt://north', subject: 'ann', fleet: 'default' } })
  expect(findWhere({ profile: 'south' }, env)).toMatchObject({ where: { url: 'mqtt://south', fleet: 'swans' } })
  expect(findWhere({}, { ...env, SKEIN_PROFILE: 'south' })).toMatchObject({ where: { url: 'mqtt://south' } })
  expect(await cli('profile', 'use', 'south')).toMatchObject({ exitCode: 0 })
  expect(findWhere({}, env)).toMatchObject({ where: { url: 'mqtt://south' } })
  const listed = await cli('profile', 'list', '--json')
  expect(JSON.parse(listed.out)).toEqual([
    { profile: 'north', url: 'mqtt://north', fleet: 'default', active: false },
    { profile: 'south', url: 'mqtt://south', fleet: 'swans', active: true },
  ])
})

test('profile: keeps the certificate that its broker is trusted for, and uses it for no other', async () => {
  const file = join(home, 'ca.pem')
  makeCertificate('broker', file, join(home, 'key.pem'))
  const ca = readFileSync(file, 'utf8')
  expect(await add('north', '--tls-ca', file)).toMatchObject({ exitCode: 0 })
  const env = { XDG_CONFIG_HOME: home }
  expect(findWhere({}, env)).toMatchObject({ where: { url: 'mqtt://north', ca } })
  expect(findWhere({ url: 'mqtt://other' }, env)).toMatchObject({
    ok: true,
    where: expect.not.objectContaining({ ca: expect.anything() }),
  })
  const own = { url: 'mqtt://other', token: jwt('ann') }
  expect(findWhere({ ...own, tlsCa: file }, {})).toMatchObject({ where: { ca } })
  expect(findWhere(own, { SKEIN_TLS_CA: file })).toMatchObject({ where: { ca } })
  writeFileSync(file, 'none')
  for (const tlsCa of [file, join(home, 'nothing')])
    expect(findWhere({ ...own, tlsCa }, {})).toMatchObject({ ok: false, kind: 'usage', reason: expect.stringContaining(tlsCa) })
})

test('profile: flags, variables and a data folder that is named beat the active one', async () => {
  await add('north')
  const env = { XDG_CONFIG_HOME: home }
  expect(findWhere({ url: 'mqtt://flag' }, env)).toMatchObject({ where: { url: 'mqtt://flag' } })
  expect(findWhere({}, { ...env, SKEIN_URL: 'mqtt://env' })).toMatchObject({ where: { url: 'mqtt://env' } })
  const data = join(home, 'data')
  expect(findWhere({ data }, env)).toMatchObject({ ok: false, kind: 'missing' })
  mkdirSync(data)
  writeFileSync(join(data, 'endpoints.json'), JSON.stringify({ fleet: 'ducks', mqtt: 'mqtt://local' }))
  writeFileSync(join(data, 'admin.token'), jwt('admin'))
  expect(findWhere({ data }, env)).toMatchObject({ where: { url: 'mqtt://local', subject: 'admin', fleet: 'ducks' } })
  expect(findWhere({ data, profile: 'north' }, env)).toMatchObject({ where: { url: 'mqtt://north', subject: 'ann' } })
})

test('profile: what is not there is named, with what there is; what is removed is gone', async () => {
  await add('north')
  expect(await cli('profile', 'use', 'west')).toMatchObject({ exitCode: 2, err: expect.stringContaining('there are north') })
  expect(findWhere({ profile: 'west' }, { XDG_CONFIG_HOME: home })).toMatchObject({ ok: false, kind: 'usage' })
  expect(await cli('profile', 'add', 'No Name')).toMatchObject({ exitCode: 2 })
  expect(await cli('profile', 'remove', 'north')).toMatchObject({ exitCode: 0 })
  expect(JSON.parse((await cli('profile', 'list', '--json')).out)).toEqual([])
})
