import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { goesOn, makeRelease, rollOut, startBusyFleet } from '../harness/busy-fleet.ts'
import { chromiumProgram, desk, faultsOnScreens, openPage, phone, startChromium } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { writeDevices } from '../harness/many-devices.ts'

const program = chromiumProgram()

describe.skipIf(program === undefined)('every page, on a desk and on a phone, in the light and in the dark', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startChromium(program ?? '')
  })
  afterAll(() => browser?.close())

  /** One visitor, who looks at one page after the other. */
  const visit = async (fleet: Installation) => {
    const { page, faults, close } = await openPage(browser, fleet.endpoints.http, '/login', { token: fleet.token })
    return {
      page,
      close,
      /** Goes to a page, waits until it shows what it has, and says what is wrong with it on every screen. */
      faultsOf: async (path: string, heading: string | RegExp, text: string | RegExp): Promise<string[]> => {
        faults.length = 0
        await page.goto(fleet.endpoints.http + path)
        await page.getByRole('heading', { level: 1, name: heading }).waitFor()
        await page.locator('main').getByText(text).first().waitFor()
        await page.getByLabel('Loading').first().waitFor({ state: 'detached' })
        const title = await page.title()
        const untitled = /^.+ · Skein$/.test(title) ? [] : [`its title is "${title}"`]
        return [...(await faultsOnScreens(page)), ...faults, ...untitled]
      },
    }
  }

  type Visitor = Awaited<ReturnType<typeof visit>>

  describe('with nothing in the fleet', () => {
    let fleet: Installation
    let visitor: Visitor
    beforeAll(async () => {
      fleet = await startInstallation({ devices: 0 })
      visitor = await visit(fleet)
    })
    afterAll(async () => {
      await visitor?.close()
      await fleet?.close()
    })

    test.for([
      ['/', 'Overview', 'No device has joined yet'],
      ['/fleet', 'Fleet', 'No device has joined yet'],
      ['/fleet/pi-1', 'pi-1', 'No device of this name'],
      ['/tasks', 'Tasks', 'There are no tasks yet'],
      ['/tasks/nothing', 'nothing', 'There is no such task'],
      ['/tasks/new', 'New task', 'Where it would run'],
      ['/deployments', 'Deployments', 'Nothing has been rolled out yet'],
      ['/deployments?state=failed', 'Deployments', 'No deployment fits'],
      ['/deployments/nothing', 'nothing', 'There is no such deployment'],
      ['/deployments/new', 'New deployment', 'There is no release yet'],
      ['/releases', 'Releases', 'There is no release yet'],
      ['/approvals', 'Approvals', 'Nothing waits for approval'],
      ['/tokens', 'Tokens and joining', 'dashboard'],
      ['/nowhere', 'Nothing is here', 'no page'],
    ] as const)('%s', async ([path, heading, text]) => {
      expect(await visitor.faultsOf(path, heading, text)).toEqual([])
    })
  })

  describe('with three devices, workloads, and tasks in every state', () => {
    let fleet: Installation
    let tasks: Readonly<Record<string, string>>
    let deployments: Readonly<Record<string, string>>
    let visitor: Visitor
    beforeAll(async () => {
      ;({ fleet, tasks, deployments } = await startBusyFleet())
      visitor = await visit(fleet)
    }, 120_000)
    afterAll(async () => {
      await visitor?.close()
      await fleet?.close()
    })

    test.for([
      ['/', 'Overview', 'exit 3'],
      ['/', 'Overview', 'Deployments under way'],
      ['/fleet', 'Fleet', 'local-3'],
      ['/fleet/local-1', 'local-1', 'crash loop'],
      ['/fleet/local-1', 'local-1', 'Last deployments'],
      ['/fleet/local-1?log=ticker', 'ticker', /^tick \d/],
      ['/fleet/local-1?runs=shaky', 'shaky', 'failed'],
      ['/fleet/local-1?facts=shaky', 'shaky', 'Last error'],
      ['/tasks', 'Tasks', 'make world'],
      ['/tasks?state=queued,active', 'Tasks', '2 tasks'],
      ['/tasks/new', 'New task', 'local-3'],
      ['/tasks/new?kind=script', 'New task', 'Its first line names what runs it'],
      ['/tasks/new?kind=agent&device=local-1', 'New task', 'What it is to do'],
      ['/tasks/new?selector=role+in+(', 'New task', 'That shows when what is marked is right'],
      ['/deployments', 'Deployments', 'app@2.0.0'],
      ['/deployments?state=paused', 'Deployments', '1 deployment'],
      ['/deployments/new', 'New deployment', 'That shows when a release is chosen'],
      ['/deployments/new?release=app@1.0.0&device=local-2', 'New deployment', 'The same in a terminal'],
      ['/deployments/new?release=app@1.0.0&selector=role+in+(', 'New deployment', 'That shows when what is marked is right'],
      ['/releases', 'Releases', 'pump@1.0.0'],
      ['/tokens', 'Tokens and joining', 'dashboard'],
      ['/tokens?add=device', 'Tokens and joining', 'Make the line'],
      ['/tokens?add=token', 'Tokens and joining', 'Make the token'],
    ] as const)('%s', async ([path, heading, text]) => {
      expect(await visitor.faultsOf(path, heading, text)).toEqual([])
    })

    test.for(['completed', 'rolled_back', 'paused', 'in_progress'])('a deployment: %s', async (state) => {
      const word = state.replace('_', ' ')
      expect(await visitor.faultsOf(`/deployments/${deployments[state]}`, /@/, word)).toEqual([])
      expect(await visitor.faultsOf(`/deployments/${deployments[state]}?state=healthy`, /@/, word)).toEqual([])
    })

    test.for([
      ['succeeded', 'done'],
      ['failed', 'no such thing'],
      ['timed_out', 'timed out'],
      ['cancelled', 'cancelled'],
      ['expired', 'It never ran'],
      ['rejected', 'rejected'],
      ['queued', 'It has not begun yet'],
      ['fanout', 'It runs on several devices'],
      ['active', 'begun'],
      ['lost', 'journal_lost'],
    ] as const)('a task: %s', async ([state, text]) => {
      expect(await visitor.faultsOf(`/tasks/${tasks[state]}`, /./, text)).toEqual([])
      if (state !== 'succeeded') return
      expect(await visitor.faultsOf(`/tasks/${tasks[state]}?tab=details`, /./, 'ticket')).toEqual([])
      expect(await visitor.faultsOf(`/tasks/new?from=${tasks[state]}`, 'New task', 'The same in a terminal')).toEqual([])
    })
  })

  describe('with 5,000 devices', () => {
    let fleet: Installation
    let visitor: Visitor
    let deployment: string
    beforeAll(async () => {
      fleet = await startInstallation({ prepare: (data) => writeDevices(data, 5000, Date.now()) })
      deployment = await rollOut(fleet, await makeRelease(fleet, 'app', '1.0.0', goesOn), { batch: 10 })
      visitor = await visit(fleet)
    })
    afterAll(async () => {
      await visitor?.close()
      await fleet?.close()
    })

    test.for([
      ['/', 'Overview', '5,000'],
      ['/fleet', 'Fleet', '5,001 devices'],
      ['/tasks/new', 'New task', '4,993 more devices'],
    ] as const)('%s', async ([path, heading, text]) => {
      expect(await visitor.faultsOf(path, heading, text)).toEqual([])
    })

    test('a deployment', async () => {
      const path = `/deployments/${deployment}`
      expect(await visitor.faultsOf(path, 'app@1.0.0', '1 of 5,001 devices healthy')).toEqual([])
      const rows = visitor.page.locator('main tbody tr')
      expect(await rows.count()).toBeLessThan(50)
      await visitor.page
        .getByRole('button', { name: /devices are away/ })
        .last()
        .click()
      await visitor.page.getByRole('button', { name: /Show 100 more of/ }).waitFor()
      expect(await rows.count()).toBeLessThan(200)
      expect(await visitor.faultsOf(`${path}?state=deferred`, 'app@1.0.0', 'Show 100 more of')).toEqual([])
    })

    for (const screen of [desk, phone])
      test(`the fleet at ${screen.width} pixels makes few rows; search, selector and order find any device; the last one can be reached`, async () => {
        const { page, faults, close } = await openPage(browser, fleet.endpoints.http, '/fleet', { token: fleet.token, screen })
        const links = page.locator('main [data-row]')
        const names = () => links.allInnerTexts()
        const found = (words: string) => page.getByRole('status').getByText(words, { exact: true }).waitFor()
        await found('5,001 devices')
        await links.first().waitFor()
        expect(await names()).toEqual(expect.arrayContaining(['local', 'pi-1', 'pi-2', 'pi-10']))
        expect((await names()).length).toBeLessThan(100)

        await page.keyboard.press('End')
        await page.getByRole('link', { name: 'pi-5000', exact: true }).waitFor()
        expect((await names()).at(-1)).toBe('pi-5000')
        expect((await names()).length).toBeLessThan(100)
        await page.keyboard.press('Home')
        await page.getByRole('link', { name: 'local', exact: true }).focus()
        await page.keyboard.press('End')
        await eventually('the focus on the last one', async () => (await page.locator(':focus').textContent()) === 'pi-5000')
        await page.keyboard.press('ArrowUp')
        expect(await page.locator(':focus').textContent()).toBe('pi-4999')
        await page.keyboard.press('Home')
        await eventually('the focus on the first one', async () => (await page.locator(':focus').textContent()) === 'local')

        await page.keyboard.press('/')
        await page.keyboard.type('pi-4321')
        await found('1 of 5,001 devices')
        expect(await names()).toEqual(['pi-4321'])
        expect(new URL(page.url()).searchParams.get('q')).toBe('pi-4321')
        await page.keyboard.press('Escape')
        await page.getByRole('textbox', { name: 'Selector' }).fill('rack=r7,arch=x64')
        await found('100 of 5,001 devices')
        expect((await names())[0]).toBe('pi-7')
        await page.getByRole('textbox', { name: 'Selector' }).fill('')
        await found('5,001 devices')

        await page.getByRole('button', { name: 'Lowest first' }).click()
        await eventually('the last name first', async () => (await names())[0] === 'pi-5000')
        await page.getByRole('combobox', { name: 'Order by' }).selectOption('State')
        await eventually('the only one that is online first', async () => (await names())[0] === 'local')
        expect(new URL(page.url()).search).toBe('?dir=down&sort=state')
        await page.goBack()
        await eventually('back is the order before', async () => (await names())[0] === 'pi-5000')
        expect(faults).toEqual([])
        await close()
      })
  })
})
