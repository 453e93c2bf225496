import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BrowserWorld, startBrowserWorld } from '../harness/browser-world.ts'
import { chromiumProgram, readLog, tabTo } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, isAlive } from '../harness/installation.ts'

const program = chromiumProgram()

describe.skipIf(program === undefined)('a run and its log, in a browser', () => {
  let world: BrowserWorld
  let fleet: Installation
  let page: Page
  beforeAll(async () => {
    world = await startBrowserWorld(program ?? '', {}, (installed) => installed.online('local'))
    ;({ fleet, page } = world)
  })
  afterAll(() => world?.close())

  const go = (path: string) => world.go(path)
  const file = (name: string): string => join(fleet.root, name)
  const sh = (script: string, ...args: string[]): Promise<string> =>
    fleet.submit({ payload: { command: ['sh', '-c', script, ...args] } })
  const log = () => page.getByRole('log')
  const line = (text: string) => log().getByText(text, { exact: true })
  /** The text of the lines in sight, by their numbers. */
  const shown = (): Promise<Record<string, string>> =>
    log().evaluate((box) =>
      Object.fromEntries(
        [...box.querySelectorAll('.log-rows > .log-row')].map((row) => [
          row.querySelector('.log-number')?.textContent,
          row.querySelector('.log-text')?.textContent,
        ]),
      ),
    )

  test('is followed live to the end, searched, and led through by line numbers', async () => {
    const id = await sh(
      'i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line $i; done; printf "\\033[1;31mred\\033[0m plain\\n"; while [ ! -e "$0" ]; do sleep 0.02; done; echo bad >&2; echo last',
      file('go'),
    )
    await go(`/tasks/${id}`)
    await page.getByText('Live', { exact: true }).waitFor()
    await log().getByText('red').waitFor()
    expect(await log().getByText('red', { exact: true }).getAttribute('class')).toContain('a-bold')
    expect(Object.keys(await shown()).length).toBeLessThan(100)
    // It is live, and this is its last line.
    await page.getByRole('searchbox').fill('plain')
    await page.getByText('1 of 1 line', { exact: true }).waitFor()
    await page.getByRole('searchbox').fill('')
    await page.getByRole('button', { name: 'Follow' }).click()
    writeFileSync(file('go'), '')
    await line('last').waitFor()
    await log().locator('.log-e').getByText('bad').waitFor()
    await page.getByText('Complete', { exact: true }).waitFor()
    await page.locator('.page-head').getByText('succeeded').waitFor()

    await page.keyboard.press('/')
    await page.keyboard.type('line 12')
    await page.getByText('1 of 11 lines').waitFor()
    expect(await log().locator('mark').first().textContent()).toBe('line 12')
    await page.keyboard.press('Enter')
    await page.getByText('2 of 11 lines').waitFor()
    await line('line 120').waitFor()
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.press('Shift+Enter')
    await page.getByText('11 of 11 lines').waitFor()
    await page.getByRole('button', { name: 'Regular expression' }).click()
    await page.getByRole('searchbox').fill('^line 4[0-9]9$')
    await page.getByText('of 10 lines').waitFor()
    await page.getByRole('searchbox').fill('([')
    await page.locator('.log-found .field-error').waitFor()
    await page.getByRole('searchbox').fill('no such words')
    await page.getByText('Not found').waitFor()
    await page.keyboard.press('Escape')

    await page.getByRole('textbox', { name: 'Go to line' }).fill('333')
    await page.keyboard.press('Enter')
    await line('line 333').waitFor()
    expect(new URL(page.url()).hash).toBe('#L333')
    await page.getByRole('link', { name: '336', exact: true }).click({ modifiers: ['Shift'] })
    expect(new URL(page.url()).hash).toBe('#L333-L336')
    expect(await log().locator('.log-chosen').count()).toBe(4)
    await page.getByRole('button', { name: 'Copy 4 lines' }).waitFor()

    const other = await world.open(`/tasks/${id}#L250`)
    await other.page.locator('.log-chosen').getByText('line 250', { exact: true }).waitFor()
    expect(other.faults).toEqual([])
    await other.close()
  })

  test('by keys alone one reads it from end to end, and every line is there once', async () => {
    const id = await sh('i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; done')
    await go(`/tasks/${id}`)
    await page.getByText('Complete', { exact: true }).waitFor()
    expect(await readLog(page)).toEqual(Array.from({ length: 300 }, (_, i) => `line ${i + 1}`))
  })

  test('the download is what the program wrote, byte by byte', async () => {
    const written = Buffer.concat([
      Buffer.from('first\r\n\ttab \u{1f986} é\n\n'),
      Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
      Buffer.from(`\n${'x'.repeat(100_000)}\nno newline at the end`),
    ])
    writeFileSync(file('bytes'), written)
    const id = await sh('cat "$0"', file('bytes'))
    await go(`/tasks/${id}`)
    await page.getByText('Complete', { exact: true }).waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
    expect(download.suggestedFilename()).toMatch(/\.log$/)
    expect(readFileSync(await download.path()).equals(written)).toBe(true)
  })

  test('a run is cancelled, and its process is gone; it is run again, as a task of its own', async () => {
    const id = await sh('echo $$ >"$0"; [ -e "$0.again" ] && exit 0; echo >"$0.again"; exec sleep 1000', file('pid'))
    const pid = await eventually('it runs', () => existsSync(file('pid.again')) && Number(readFileSync(file('pid'), 'utf8')))
    await go(`/tasks/${id}`)
    await tabTo(page, 'button', 'Cancel')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog')
    await dialog.getByText('on local is told to end').waitFor()
    expect(isAlive(pid)).toBe(true)
    await tabTo(page, 'button', 'Cancel the task')
    await page.keyboard.press('Enter')
    await page.locator('.page-head').getByText('cancelled', { exact: true }).waitFor()
    expect(isAlive(pid)).toBe(false)
    expect(await dialog.count()).toBe(0)
    const again = page.getByRole('button', { name: 'Run again' })
    // The request arrives and its answer does not: whoever presses again means the same.
    await page.route('**/retry', async (route) => {
      await route.fetch()
      await route.abort()
    })
    await again.click()
    await page.getByRole('alert').getByText('cannot be reached').waitFor()
    await page.unroute('**/retry')
    await again.dblclick()
    await page.locator('.page-head').getByText('succeeded').waitFor()
    const next = new URL(page.url()).pathname.split('/').at(-1) ?? ''
    expect(next).not.toBe(id)
    expect(await fleet.task(next)).toMatchObject({ retry_of: id, state: 'succeeded' })
    const { body } = await fleet.answered('GET', '/tasks')
    expect(
      body.tasks.filter((one: { retry_of?: string }) => one.retry_of === id),
      'pressed again and again, run once',
    ).toHaveLength(1)
    await page.goBack()
    await page.locator('.page-head').getByText('cancelled', { exact: true }).waitFor()
  })
})
