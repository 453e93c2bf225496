import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import { Missing } from './part.ts'
import type { World } from './world.ts'

const program = '/usr/bin/chromium'

/** A real browser, ended with the world. */
export const startChromium = async (world: World): Promise<Browser> => {
  if (!existsSync(program)) throw new Missing(`${program} is missing: apt-get install chromium`)
  const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox'] })
  world.own(() => browser.close())
  return browser
}

/** A page of somebody who has signed in as anybody would, with an empty cache; and how long its first paint took. */
export const openPage = async (browser: Browser, http: string, token: string, path: string): Promise<Page> => {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } })
  await context.request.post(`${http}/dashboard/session`, { data: { token }, headers: { origin: http } })
  const page = await context.newPage()
  await page.goto(`${http}${path}`)
  return page
}

/** Milliseconds from the click to the first contentful paint. */
export const firstPaintMs = (page: Page): Promise<number> =>
  page.evaluate<number>(`new Promise((resolve) => {
    const find = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime
    const look = () => (find() === undefined ? setTimeout(look, 20) : resolve(find()))
    look()
  })`)
