import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type LocalAnswers, openLocalSocket } from '../../device/local-socket.ts'
import { accepted } from '../../schemas/errors.ts'
import { localRequestNames } from '../../schemas/local-requests.ts'

let folder: string
let socket: Awaited<ReturnType<typeof openLocalSocket>>
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-socket-'))
  const mask = process.umask(0)
  const answers = Object.fromEntries(localRequestNames.map((name) => [name, () => accepted({ name })])) as unknown as LocalAnswers // each answers the same
  // biome-ignore lint/correctness/useYield: nobody follows here
  socket = await openLocalSocket(join(folder, 'socket'), answers, async function* () {
    return accepted({})
  })
  process.umask(mask)
})
afterEach(async () => {
  await socket.close()
  rmSync(folder, { recursive: true, force: true })
})

/** All that comes back for a text. */
const answersTo = (text: string): Promise<{ ok: boolean; error?: { code: string } }[]> =>
  new Promise((resolve, reject) => {
    const client = connect(socket.path, () => client.end(text))
    let got = ''
    client.setEncoding('utf8')
    client.on('data', (part: string) => {
      got += part
    })
    client.on('error', reject)
    client.on('close', () =>
      resolve(
        got
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line)),
      ),
    )
  })

test('the local socket is for the user of the daemon alone, whatever the umask', () => {
  expect(statSync(socket.path).mode & 0o777).toBe(0o600)
})

test('the local socket answers each bad line with a refusal, and what is good besides', async () => {
  const bad = [
    '',
    '{',
    'null',
    '[]',
    '7',
    '"list"',
    '{"command":7}',
    '{"command":"lst"}',
    '{"command":"get"}',
    '{"command":"list","x":1}',
  ]
  const answers = await answersTo(`${[...bad, '{"command":"list"}'].join('\n')}\n`)
  expect(answers.map(({ ok }) => ok)).toEqual([...bad.map(() => false), true])
})

test('the local socket refuses a line without an end, and takes many short ones at once', async () => {
  expect(await answersTo(`{"command":"list","x":"${'x'.repeat(10_000_000)}`)).toMatchObject([
    { ok: false, error: { code: 'too_large' } },
  ])
  const many = await answersTo('{"command":"list"}\n'.repeat(10_000))
  expect(many.filter(({ ok }) => ok)).toHaveLength(10_000)
})
