import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BrowserWorld, startBrowserWorld } from '../harness/browser-world.ts'
import { chromiumProgram, tabTo } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import { collect, type Installation, isAlive, plainEnv } from '../harness/installation.ts'

const program = chromiumProgram()
const bin = fileURLToPath(new URL('../../bin', import.meta.url))

describe.skipIf(program === undefined)('what people do about devices, in a browser', () => {
  let world: BrowserWorld
  let fleet: Installation
  let page: Page
  beforeAll(async () => {
    world = await startBrowserWorld(program ?? '', { devices: 2 }, async (installed) => {
      await installed.online('local-1')
      const ticker = {
        ...{ name: 'ticker', type: 'service', run_mode: 'forever' },
        command: ['sh', '-c', 'i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done'],
      }
      const file = join(installed.root, 'ticker.yaml')
      writeFileSync(file, JSON.stringify(ticker))
      expect((await installed.cli(['local', 'apply', '--device', 'local-1', file])).code).toBe(0)
    })
    ;({ fleet, page } = world)
  })
  afterAll(() => world?.close())

  const go = (path: string) => world.go(path)
  const press = (name: string | RegExp) => world.press(name)
  const dialog = () => page.getByRole('dialog')
  const confirm = async (verb: string): Promise<void> => {
    await dialog().getByRole('button', { name: verb, exact: true }).click()
    await dialog().waitFor({ state: 'detached' })
  }
  const device = async (name: string) => (await fleet.answered('GET', `/devices/${name}`)).body

  test('keys lead everywhere: the list of them, page to page, the search; Escape closes and empties', async () => {
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('?')
    await dialog().getByText('Search on this page').waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('f')
    expect(new URL(page.url()).pathname, 'while the list is open its keys are its own').toBe('/')
    await page.keyboard.press('Escape')
    await dialog().waitFor({ state: 'detached' })
    for (const [keys, heading, path] of [
      ['gf', 'Fleet', '/fleet'],
      ['gt', 'Tasks', '/tasks'],
      ['gk', 'Tokens and joining', '/tokens'],
      ['go', 'Overview', '/'],
      ['gf', 'Fleet', '/fleet'],
    ] as const) {
      for (const key of keys) await page.keyboard.press(key)
      await page.getByRole('heading', { level: 1, name: heading }).waitFor()
      expect(new URL(page.url()).pathname).toBe(path)
      expect(await page.locator('h1:focus').count(), 'the focus is on its heading').toBe(1)
    }
    await page.getByRole('link', { name: 'local-1' }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('gf-2/?')
    expect(await page.getByRole('searchbox').inputValue(), 'in a field all keys are text').toBe('gf-2/?')
    await page.getByText('No device fits').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'local-1' }).waitFor()
    await page.goBack()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
  })

  test('by keyboard alone: to a device, drained and given work again', async () => {
    await go('/fleet?q=local-1')
    await tabTo(page, 'link', 'local-1')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'local-1' }).waitFor()
    await tabTo(page, 'button', 'Drain')
    await page.keyboard.press('Enter')
    await dialog().getByText('no more work').waitFor()
    await page.keyboard.press('Escape')
    await dialog().waitFor({ state: 'detached' })
    expect((await device('local-1')).drained).toBe(false)
    expect(await page.locator(':focus').textContent(), 'the focus is where it was').toBe('Drain')
    await page.keyboard.press('Enter')
    await tabTo(page, 'button', 'Drain')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Undrain', exact: true }).waitFor()
    expect((await device('local-1')).drained).toBe(true)
    await press('Undrain')
    await confirm('Undrain')
    await page.getByRole('button', { name: 'Drain', exact: true }).waitFor()
    expect((await device('local-1')).drained).toBe(false)
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'Fleet' }).waitFor()
    expect(new URL(page.url()).search).toBe('?q=local-1')
  })

  test('labels are put on and taken off; one that cannot be is told at its field', async () => {
    await go('/fleet/local-1')
    await press('Edit')
    await page.getByRole('textbox', { name: 'Key' }).fill('not a key!')
    await press('Put on')
    await page.locator('.field-wrong').getByText('letters').waitFor()
    expect(await page.getByRole('textbox', { name: 'Key' }).getAttribute('aria-invalid')).toBe('true')
    await page.getByRole('textbox', { name: 'Key' }).fill('site')
    await page.getByRole('textbox', { name: 'Value' }).fill('berlin')
    await page.keyboard.press('Enter')
    await page.getByText('site=berlin').first().waitFor()
    expect((await device('local-1')).labels.site).toBe('berlin')
    await press('Take site off')
    await page.getByText('site=berlin').waitFor({ state: 'detached' })
    expect((await device('local-1')).labels.site).toBeUndefined()
  })

  test('a workload is stopped, started and restarted, and its log is followed', async () => {
    const pid = async (): Promise<number> => (await fleet.answered('GET', '/devices/local-1/workloads/ticker')).body.pid
    const first = await eventually('it runs', pid)
    await go('/fleet/local-1')
    await press('Stop ticker')
    await dialog().getByText('until somebody starts it').waitFor()
    await confirm('Stop')
    await page.getByRole('cell', { name: 'stopped' }).waitFor()
    expect(isAlive(first)).toBe(false)
    await press('Start ticker')
    await page.getByRole('cell', { name: 'running' }).waitFor()
    const second = await eventually('it runs again', pid)
    await page.getByRole('link', { name: 'Log of ticker' }).click()
    await page.getByRole('heading', { level: 1, name: 'ticker' }).waitFor()
    expect(new URL(page.url()).search).toBe('?log=ticker')
    await page
      .getByRole('log')
      .getByText(/^tick \d+$/)
      .first()
      .waitFor()
    await press('Restart ticker')
    await confirm('Restart')
    await eventually('another process', async () => ![second, null].includes(await pid()))
    expect(isAlive(second)).toBe(false)
    await page.getByRole('log').getByText('tick 0', { exact: true }).last().waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
    expect(download.suggestedFilename()).toBe('local-1-ticker.log')
    const ticks = [...readFileSync(await download.path(), 'utf8').matchAll(/^tick (\d+)$/gm)].map(([, n]) => Number(n))
    // Each of the three runs counts from 0, and no tick is missing.
    expect(ticks.filter((n) => n === 0)).toHaveLength(3)
    expect(ticks.every((n, i) => n === 0 || n === (ticks[i - 1] ?? -1) + 1)).toBe(true)
    await page.getByRole('link', { name: 'Runs', exact: true }).click()
    await eventually('three runs', async () => (await page.getByRole('row').count()) === 4)
    await page.goBack()
    await page.getByRole('log').waitFor()
  })

  test('the log of a workload begins with its last lines, by their own numbers, and says that it does', async () => {
    for (const [name, output] of [
      ['counted', 'pipe'],
      ['filed', 'file'],
    ]) {
      const file = join(fleet.root, `${name}.yaml`)
      const run = { type: 'script', run_mode: 'n_times', max_runs: 1, command: ['seq', '3000'] }
      writeFileSync(file, JSON.stringify({ name, output, ...run }))
      expect((await fleet.cli(['local', 'apply', '--device', 'local-1', file])).code).toBe(0)
    }
    const numberOf = async (text: string): Promise<string | null> => {
      const row = page.locator('.log-row', { has: page.getByText(text, { exact: true }) }).last()
      await row.waitFor()
      return row.locator('.log-number').textContent()
    }
    await go('/fleet/local-1?log=counted')
    expect(await numberOf('3000')).toBe('3000')
    await page.getByText(/^The first [\d,]+ lines are not shown here/).waitFor()
    await go('/fleet/local-1?log=counted#L2500')
    await page.reload()
    await page.locator('.log-chosen').getByText('2500', { exact: true }).first().waitFor()
    await go('/fleet/local-1?log=filed')
    expect(await numberOf('3000')).toBe('1000')
    await page.getByText(/^Older lines are not shown here/).waitFor()
  })

  test('a token is made, shown once, and revoked', async () => {
    await go('/tokens')
    await press('New token')
    // A selection that is drawn out of the dialog leaves it open, a press beside it does not.
    await page.mouse.move(700, 400)
    const at = await page.getByRole('textbox', { name: 'Name' }).boundingBox()
    await page.mouse.move((at?.x ?? 0) + 5, (at?.y ?? 0) + 5)
    await page.mouse.down()
    await page.mouse.move(2, 2)
    await page.mouse.up()
    expect(await dialog().count()).toBe(1)
    await page.mouse.click(2, 2)
    await dialog().waitFor({ state: 'detached' })
    await press('New token')
    await page.getByRole('textbox', { name: 'Name' }).fill('Not A Name')
    await press('Make the token')
    await page.locator('.field-wrong').getByText(/a-z/).last().waitFor()
    await page.getByRole('textbox', { name: 'Name' }).fill('ann')
    await page.getByRole('combobox', { name: 'Role' }).selectOption('viewer')
    await page.keyboard.press('Enter')
    const token = (await dialog().locator('code').textContent()) ?? ''
    await page.mouse.click(2, 2)
    expect(await dialog().count(), 'it is shown only now').toBe(1)
    expect(await (await asAnn(token)).json()).toMatchObject({ subject: 'ann', role: 'viewer' })
    await press('Done')
    await dialog().waitFor({ state: 'detached' })
    expect(await page.content()).not.toContain(token)
    await page.reload()
    const row = page.getByRole('row').filter({ hasText: 'ann' })
    await row.getByText('valid').waitFor()
    expect(await page.content()).not.toContain(token)
    await row.getByRole('button', { name: 'Revoke the token of ann' }).click()
    await dialog().getByText('cannot be taken back').waitFor()
    await confirm('Revoke')
    await row.getByText('revoked').waitFor()
    expect((await asAnn(token)).status).toBe(401)
  })
  const asAnn = (token: string): Promise<Response> =>
    fetch(`${fleet.endpoints.api}/api/v1/whoami`, { headers: { authorization: `Bearer ${token}` } })

  test('the line that a new device joins with is made, and a machine joins with it', async () => {
    await go('/fleet')
    await page.getByRole('link', { name: 'Add a device' }).click()
    await press('Make the line')
    await dialog().getByText('Nobody has joined yet').waitFor()
    const [line = ''] = await dialog().locator('code').allTextContents()
    expect(line).toMatch(/^skein device join --url mqtt:\/\/127\.0\.0\.1:\d+ --token [\w.-]+$/)
    const data = join(fleet.data, 'elsewhere')
    mkdirSync(data)
    const env = { ...plainEnv(), SKEIN_DATA: data, SKEIN_NAME: 'newcomer', PATH: `${bin}${delimiter}${process.env['PATH']}` }
    const joined = await collect('sh', ['-c', line], env)
    expect([joined.code, joined.stderr]).toEqual([0, ''])
    const daemon: ChildProcess = spawn('sh', ['-c', 'exec skein device'], { env, stdio: 'ignore' })
    try {
      await dialog().getByText('1 device has joined').waitFor()
      await press('Done')
      await go('/fleet/newcomer')
      await page.locator('.page-head').getByText('online').waitFor()
    } finally {
      daemon.kill('SIGTERM')
      await once(daemon, 'exit')
    }
    await page.locator('.page-head').getByText('offline').waitFor()
    await page.getByLabel('More').click()
    await press('Remove from the fleet')
    expect(await dialog().getByRole('button', { name: 'Remove', exact: true }).isDisabled()).toBe(true)
    await dialog().getByRole('textbox').fill('newcomer')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Fleet' }).waitFor()
    await page.getByText('2 devices', { exact: true }).waitFor()
    expect((await fleet.api('GET', '/devices/newcomer')).status).toBe(404)
  })
})
