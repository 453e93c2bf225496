import type { Page } from 'playwright-core'
import { type Opened, openPage, startChromium } from './chromium.ts'
import { type Installation, type InstallationOptions, startInstallation } from './installation.ts'

/** An installation, and an admin who looks at its overview in a real browser. */
export interface BrowserWorld {
  fleet: Installation
  page: Page
  /** Goes to an address of the dashboard. */
  go(path: string): Promise<unknown>
  /** Presses a button. */
  press(name: string | RegExp): Promise<void>
  /** Another visitor, with a browser of his own; an admin unless he has another token. */
  open(path: string, token?: string): Promise<Opened>
  /** Ends all of it; throws if anything went wrong in the page meanwhile. */
  close(): Promise<void>
}

/** Starts both. What has to be there before the first page is opened is prepared by `prepare`. */
export const startBrowserWorld = async (
  chromium: string,
  options?: InstallationOptions,
  prepare: (fleet: Installation) => Promise<unknown> = async () => undefined,
): Promise<BrowserWorld> => {
  const browser = await startChromium(chromium)
  const fleet = await startInstallation(options)
  const close = async (): Promise<void> => {
    await browser.close()
    await fleet.close()
  }
  try {
    await prepare(fleet)
    const { page, faults } = await openPage(browser, fleet.endpoints.http, '/', { token: fleet.token })
    return {
      fleet,
      page,
      go: (path) => page.goto(`${fleet.endpoints.http}${path}`),
      press: (name) => page.getByRole('button', { name, exact: typeof name === 'string' }).click(),
      open: (path, token = fleet.token) => openPage(browser, fleet.endpoints.http, path, { token }),
      close: async () => {
        await close()
        if (faults.length > 0) throw new Error(`The page had faults: ${faults.join('; ')}`)
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}
