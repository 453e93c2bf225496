import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { openPage, startChromium } from './chromium.ts'
import { eventually } from './eventually.ts'
import { startInstallation } from './installation.ts'

/** So many rows are made at most, however long the log is. */
const mostRows = 300
/** What every tenth line has behind its number: it is wider than a screen. */
const more = ' and more of it'.repeat(30)

/**
 * A run writes so many lines while somebody follows them in a browser, who then goes to a line, searches, wraps and unwraps, and takes
 * the log along. Nothing is measured by time: the page makes few rows all along, shows what was asked for, and no line is missing.
 */
export const followLongLog = async (program: string, lines: number): Promise<void> => {
  const browser = await startChromium(program)
  const fleet = await startInstallation()
  try {
    await fleet.online('local')
    const go = join(fleet.root, 'go')
    const script = `while [ ! -e "$0" ]; do sleep 0.02; done; for k in 0 1 2 3 4 5 6 7 8 9; do
      seq -f 'line %.0f' $((k*$1+1)) $((k*$1+$1)) | sed "/3$/s/$/$2/"; sleep 0.1; done`
    const id = await fleet.submit({ payload: { command: ['sh', '-c', script, go, String(lines / 10), more] } })
    const { page, faults } = await openPage(browser, fleet.endpoints.http, `/tasks/${id}`, { token: fleet.token })
    const log = page.getByRole('log')
    await log.waitFor()
    await watchRows(page)
    writeFileSync(go, '')
    await line(page, lines).waitFor({ timeout: 120_000 })
    await page.getByText('Complete', { exact: true }).waitFor({ timeout: 120_000 })
    const all = lines.toLocaleString('en')
    expect(await page.getByRole('textbox', { name: 'Go to line' }).getAttribute('title')).toBe(`1 to ${all}`)
    await page.getByText(`${all} lines`).first().waitFor()

    const wanted = 123_456
    await page.getByRole('textbox', { name: 'Go to line' }).fill(String(wanted))
    await page.keyboard.press('Enter')
    await line(page, wanted).waitFor()
    for (const press of ['off', 'on', 'off']) {
      await page.getByRole('button', { name: 'Wrap' }).click()
      await page.getByRole('button', { name: 'Wrap', pressed: press === 'on' }).waitFor()
      expect(await isInSight(page, wanted), `line ${wanted} with wrapped lines ${press}`).toBe(true)
    }

    await page.keyboard.press('/')
    await page.keyboard.type(`line ${lines - 8}`)
    await page.getByText('1 of 1 line', { exact: true }).waitFor({ timeout: 60_000 })
    await line(page, lines - 8).waitFor()
    await log.focus()
    await page.keyboard.press('Home')
    await line(page, 1).waitFor()
    await page.keyboard.press('End')
    await line(page, lines).waitFor()
    // A pull of the scrollbar, to the middle of all lines.
    await page.keyboard.press('Escape')
    await page.evaluate(`{ const box = document.querySelector('[role=log]'); box.scrollTop = box.scrollHeight / 2 }`)
    await eventually('lines of the middle', async () => {
      const first = Number(((await log.locator('.log-number').first().textContent()) ?? '').trim())
      return Math.abs(first - lines / 2) < lines / 100
    })

    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
    let count = 0
    for await (const text of createInterface(createReadStream(await download.path()))) {
      count += 1
      if (text !== `line ${count}${count % 10 === 3 ? more : ''}`)
        throw new Error(`In the place of line ${count} there is ${JSON.stringify(text)}`)
    }
    expect(count).toBe(lines)
    expect(await page.evaluate<number>('mostRows')).toBeLessThan(mostRows)
    expect(faults).toEqual([])
  } finally {
    await browser.close()
    await fleet.close()
  }
}

const line = (page: Page, number: number) => page.getByRole('log').getByText(`line ${number}`, { exact: true })

/** Remembers in the page how many rows of the log there were at once. */
const watchRows = (page: Page): Promise<unknown> =>
  page.evaluate(`{
    const box = document.querySelector('[role=log]')
    globalThis.mostRows = 0
    new MutationObserver(() => { mostRows = Math.max(mostRows, box.querySelectorAll('.log-row').length) })
      .observe(box, { subtree: true, childList: true })
  }`)

/** Whether a line is between the upper and the lower edge of the log. */
const isInSight = async (page: Page, number: number): Promise<boolean> => {
  const [row, box] = [await line(page, number).boundingBox(), await page.getByRole('log').boundingBox()]
  return row !== null && box !== null && row.y >= box.y - 1 && row.y + row.height <= box.y + box.height + 1
}
