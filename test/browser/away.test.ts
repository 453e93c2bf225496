import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumProgram, type Opened, openPage, readLog, startChromium } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, type Part, startInstallation } from '../harness/installation.ts'
import { linesOf } from '../harness/lone-device.ts'

const program = chromiumProgram()
/** How each part is missed, in the words of the page. */
const missed: Partial<Record<Part, RegExp>> = {
  broker: /Not live: the broker cannot be reached/,
  controller: /Not live: the controller is away/,
  dashboard: /Not live: the connection to Skein is away/,
  hub: /Not live: the connection to Skein is away/,
}

for (const [how, parts] of [
  ['with parts of their own', ['controller', 'broker', 'dashboard']],
  ['in the hub', ['hub']],
] as const) {
  describe.skipIf(program === undefined)(`a part dies while pages are open, ${how}`, () => {
    let browser: Browser
    let fleet: Installation
    let overview: Opened
    let others: { fleet: Page; tasks: Page }
    beforeAll(async () => {
      browser = await startChromium(program ?? '')
      fleet = await startInstallation({ apart: how !== 'in the hub' })
      await fleet.online('local')
      overview = await openPage(browser, fleet.endpoints.http, '/', { token: fleet.token })
      others = { fleet: await openBeside(overview.context, '/fleet'), tasks: await openBeside(overview.context, '/tasks') }
    })
    afterAll(async () => {
      await browser?.close()
      await fleet?.close()
    })

    const openBeside = async (context: BrowserContext, path: string): Promise<Page> => {
      const page = await context.newPage()
      page.setDefaultTimeout(30_000)
      await page.goto(fleet.endpoints.http + path)
      await page.getByRole('heading', { level: 1 }).waitFor()
      return page
    }

    test.for(parts)('%s: every page says so, is live again by itself, and is right', { timeout: 90_000 }, async (part) => {
      const go = join(fleet.root, `go-${part}`)
      const script = `i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; [ $i -eq 150 ] && while [ ! -e "$0" ]; do sleep 0.02; done; done; exit 4`
      const id = await fleet.submit({ payload: { command: ['sh', '-c', script, go] }, metadata: { title: `missing ${part}` } })
      const task = await openBeside(overview.context, `/tasks/${id}`)
      await task.getByRole('log').getByText('line 150', { exact: true }).waitFor()
      const pages = [overview.page, others.fleet, others.tasks, task]
      for (const page of pages) await page.evaluate(remember)
      await others.tasks
        .getByRole('row')
        .filter({ hasText: `missing ${part}` })
        .getByText('active')
        .waitFor()

      expect(fleet.kill(part)).toBeGreaterThan(0)
      writeFileSync(go, '')
      for (const page of pages) {
        await eventually(`the word that the ${part} is away`, () =>
          page.evaluate<boolean>(`said.some((text) => ${missed[part]}.test(text))`),
        )
        await page.locator('.away').waitFor({ state: 'detached' })
      }
      await task.locator('.page-head').getByText('failed', { exact: true }).waitFor()
      for (const page of [overview.page, others.tasks])
        await page
          .getByRole('row')
          .filter({ hasText: `missing ${part}` })
          .getByText('failed')
          .waitFor()
      await others.fleet.getByRole('row').filter({ hasText: 'local' }).getByText('online', { exact: true }).waitFor()
      await task.getByText('Complete', { exact: true }).waitFor()
      expect(await readLog(task)).toEqual(Array.from({ length: 300 }, (_, i) => `line ${i + 1}`))
      for (const page of pages) expect(await page.evaluate('said.length > 0'), 'it is the same page all along').toBe(true)
      expect(overview.faults).toEqual([])
      await task.close()
    })
  })
}

describe.skipIf(program === undefined)('a form that is sent while nobody is there', () => {
  test('keeps what was typed, says why, and sends it once when it is sent again', { timeout: 90_000 }, async () => {
    const browser = await startChromium(program ?? '')
    const fleet = await startInstallation()
    try {
      await fleet.online('local')
      const { page, faults } = await openPage(browser, fleet.endpoints.http, '/tasks/new', { token: fleet.token })
      const witness = join(fleet.root, 'witness')
      await page.getByRole('textbox', { name: 'Command', exact: true }).fill(`sh -c 'echo ran >>${witness}'`)
      const submit = page.getByRole('button', { name: 'Submit' })
      // The request arrives and its answer does not: nobody can know here whether the task was taken.
      await page.route('**/api/v1/tasks', async (route) => {
        await route.fetch()
        expect(fleet.kill('hub')).toBeGreaterThan(0)
        await route.abort()
      })
      await submit.click()
      await page.getByRole('alert').getByText('cannot be reached').first().waitFor()
      await page.unroute('**/api/v1/tasks')
      await fleet.answered('GET', '/status')
      await page.locator('.away').waitFor({ state: 'detached' })
      await submit.click()
      await page.locator('.page-head').getByText('succeeded').waitFor()
      expect(linesOf(witness)).toEqual(['ran'])
      expect((await fleet.answered('GET', '/tasks')).body.tasks).toHaveLength(1)
      expect(faults).toEqual([])
    } finally {
      await browser.close()
      await fleet.close()
    }
  })
})

/** Keeps in the page whatever it has said about not being live; a page that is loaded anew has forgotten it. */
const remember = `{
  globalThis.said = []
  const look = () => { const text = document.querySelector('.away')?.textContent; if (text) said.push(text) }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
}`
