import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { findProgram } from './program.ts'

/** Where Chromium is; undefined, with a warning, where it is missing. */
export const chromiumProgram = (): string | undefined =>
  findProgram(['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'], 'Chromium (the package chromium)')

/** A name that leads to this machine, as far as the browser knows: how a foreign page would turn itself into one of ours. */
export const foreignName = 'elsewhere.example'

export const startChromium = (program: string): Promise<Browser> =>
  chromium.launch({
    executablePath: program,
    args: ['--no-sandbox', '--disable-dev-shm-usage', `--host-resolver-rules=MAP ${foreignName} 127.0.0.1`],
  })

export interface Screen {
  width: number
  height: number
  scheme: 'light' | 'dark'
}
export const desk: Screen = { width: 1400, height: 900, scheme: 'light' }
export const phone: Screen = { width: 390, height: 844, scheme: 'light' }

/** A page in a browser of its own, with everything that went wrong in it: errors of scripts, refusals of the policy, failed assets. */
export interface Opened {
  page: Page
  context: BrowserContext
  faults: string[]
  close(): Promise<void>
}

/** Opens a page; with a token its visitor has signed in, through the door that everybody takes. */
export const openPage = async (
  browser: Browser,
  http: string,
  path: string,
  { token, screen = desk }: { token?: string; screen?: Screen } = {},
): Promise<Opened> => {
  const { width, height, scheme } = screen
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, acceptDownloads: true })
  if (token !== undefined) {
    const answer = await context.request.post(`${http}/dashboard/session`, { data: { token }, headers: { origin: http } })
    if (!answer.ok()) throw new Error(`Cannot sign in: ${answer.status()} ${await answer.text()}`)
  }
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`))
  page.on('console', (message) => {
    // What a server refuses is told by the page itself; Chromium says it too.
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text()))
      faults.push(message.text())
  })
  await page.goto(`${http}${path}`)
  return { page, context, faults, close: () => context.close() }
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What a reader of screens would stumble over: faults that axe calls serious or critical, of all rules or of this one. */
export const axeFaults = async (page: Page, rule?: string): Promise<string[]> => {
  if (!(await page.evaluate(`'axe' in window`))) await page.evaluate(axe)
  const found = await page.evaluate<{ id: string; impact: string; help: string; nodes: { target: string[]; html: string }[] }[]>(
    `axe.run(document, ${JSON.stringify({ resultTypes: ['violations'], ...(rule ? { runOnly: [rule] } : {}) })}).then(({ violations }) => JSON.parse(JSON.stringify(violations)))`,
  )
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, help, nodes }) =>
        `${id}: ${help}: ${nodes.map(({ target, html }) => `${target.join(' ')} ${html.slice(0, 120)}`).join(' | ')}`,
    )
}

/** How far the page is wider than its window, in pixels; what scrolls inside its own box does not count. */
export const overflowOf = (page: Page): Promise<number> =>
  page.evaluate<number>('Math.max(0, document.documentElement.scrollWidth - window.innerWidth)')

const screens: readonly Screen[] = [desk, phone].flatMap((screen) => [screen, { ...screen, scheme: 'dark' }])

/** Other widths of windows, for what would only be too wide there. */
const between = [320, 600, 780, 1010, 1200]

/** What is wrong with a page at every screen, in the light and in the dark: what is wider than the screen, or what axe finds. */
export const faultsOnScreens = async (page: Page): Promise<string[]> => {
  const faults: string[] = []
  for (const { width, height, scheme } of screens) {
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme: scheme })
    await twoFrames(page)
    const overflow = await overflowOf(page)
    // What is on the page is the same in the dark, but for its colours.
    const rule = scheme === 'dark' ? 'color-contrast' : undefined
    const found = [...(overflow > 0 ? [`${overflow} pixels wider than the screen`] : []), ...(await axeFaults(page, rule))]
    faults.push(...found.map((fault) => `${width} ${scheme}: ${fault}`))
  }
  await page.emulateMedia({ colorScheme: desk.scheme })
  for (const width of between) {
    await page.setViewportSize({ width, height: desk.height })
    await twoFrames(page)
    const overflow = await overflowOf(page)
    if (overflow > 0) faults.push(`${width}: ${overflow} pixels wider than the screen`)
  }
  await page.setViewportSize({ width: desk.width, height: desk.height })
  return faults
}

/** Goes by the Tab key to what has this role and name, as somebody does who has no mouse. */
export const tabTo = async (
  page: Page,
  role: 'button' | 'link' | 'textbox' | 'combobox',
  name: string | RegExp,
): Promise<void> => {
  const wanted = page.locator(':focus').and(page.getByRole(role, { name }))
  for (let presses = 0; presses < 150; presses++) {
    await page.keyboard.press('Tab')
    if ((await wanted.count()) > 0) return
  }
  throw new Error(`No ${role} "${name}" can be reached by the Tab key`)
}

/** All lines of the log on a page, as somebody reads them who pages from its beginning to its end. */
export const readLog = async (page: Page): Promise<string[]> => {
  const log = page.getByRole('log')
  await log.focus()
  await page.keyboard.press('Home')
  await log.getByRole('link', { name: '1', exact: true }).waitFor()
  const lines = new Map<number, string>()
  for (let before = -1; before !== lines.size; ) {
    before = lines.size
    const shown = await page.evaluate<[number, string][]>(
      `[...document.querySelectorAll('.log-rows > .log-row')].map((row) => [
        Number(row.querySelector('.log-number').textContent), row.querySelector('.log-text').textContent])`,
    )
    for (const [number, text] of shown) lines.set(number, text)
    await page.keyboard.press('PageDown')
    await twoFrames(page)
  }
  return [...lines.values()]
}

/** What has been asked for is drawn. */
export const twoFrames = (page: Page): Promise<unknown> =>
  page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
