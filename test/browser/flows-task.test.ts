import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BrowserWorld, startBrowserWorld } from '../harness/browser-world.ts'
import { chromiumProgram, tabTo } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import type { Installation } from '../harness/installation.ts'
import { linesOf } from '../harness/lone-device.ts'

const program = chromiumProgram()

describe.skipIf(program === undefined)('tasks, in a browser', () => {
  let world: BrowserWorld
  let fleet: Installation
  let page: Page
  beforeAll(async () => {
    world = await startBrowserWorld(program ?? '', { devices: 2 }, async (installed) => {
      await installed.online('local-1')
      await installed.online('local-2')
    })
    ;({ fleet, page } = world)
  })
  afterAll(() => world?.close())

  const go = (path: string) => world.go(path)
  const press = (name: string) => world.press(name)
  const field = (name: string) => page.getByRole('textbox', { name, exact: true })
  const says = (text: string) => page.locator('main').getByText(text).first().waitFor()
  const count = async (): Promise<number> => (await fleet.answered('GET', '/tasks?limit=1000')).body.tasks.length
  const taskShown = () => page.url().split('/').at(-1)?.split('?')[0] ?? ''

  test('by keys alone one writes a command, sees its words and where it would run, and submits it once', async () => {
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('n')
    await page.getByRole('heading', { name: 'New task' }).waitFor()
    const before = await count()
    await field('Command').focus()
    await page.keyboard.type(`sh -c 'echo "$0 and $1"' "one  two" three`)
    expect(await page.locator('.words li').allTextContents()).toEqual(['sh', '-c', 'echo "$0 and $1"', 'one  two', 'three'])
    await says('Runs on one of 2 devices at once')
    expect(await page.locator('.command code').textContent()).toBe(`skein run -- sh -c 'echo "$0 and $1"' 'one  two' three`)
    // Twice in the same moment is one task.
    await page.keyboard.press('Control+Enter')
    await page.keyboard.press('Control+Enter')
    await page.locator('.page-head').getByText('succeeded').waitFor()
    expect(await count()).toBe(before + 1)
    await page.getByRole('log').getByText('one  two and three').waitFor()
  })

  test('by mouse: devices by their labels, those that would not and why; pressed twice it runs once', async () => {
    await fleet.answered('POST', '/devices/local-1/labels', { set: { kind: 'painter' } })
    await fleet.answered('POST', '/devices/local-2/drain')
    const witness = `${fleet.root}/witness`
    const before = await count()
    await go('/tasks')
    await page.getByRole('link', { name: 'New task' }).click()
    await field('Command').fill(`sh -c 'echo ran >>${witness}; echo was here'`)
    await press('Each of them')
    await page.getByText('1 other device would not').click()
    await says('drained: a task for all devices leaves it out')
    await press('One of them')
    await press('Devices by labels')
    await field('Selector').fill('kind=painter')
    await page.locator('.preview-others').getByText('kind').waitFor()
    await page.getByRole('button', { name: 'Submit' }).dblclick()
    await page.locator('.page-head').getByText('succeeded').waitFor()
    await page.getByRole('log').getByText('was here').waitFor()
    expect(linesOf(witness)).toEqual(['ran'])
    expect(await count()).toBe(before + 1)
    expect(await fleet.task(taskShown())).toMatchObject({ device: 'local-1', source: 'dashboard' })
    await fleet.answered('POST', '/devices/local-2/undrain')
  })

  test('by keys alone: a script for one device, and through the list to an earlier task', async () => {
    await go('/tasks')
    await page.getByRole('table').waitFor()
    await page.keyboard.press('n')
    await page.getByRole('heading', { name: 'New task' }).waitFor()
    await tabTo(page, 'button', 'Script')
    await page.keyboard.press('Enter')
    await tabTo(page, 'textbox', 'Script')
    await page.keyboard.press('Control+End')
    await page.keyboard.type('for i in 1 2 3; do\n  echo "$i for $1"\ndone\n')
    await tabTo(page, 'textbox', 'Arguments')
    await page.keyboard.type('somebody')
    await tabTo(page, 'button', 'One device')
    await page.keyboard.press('Space')
    await tabTo(page, 'combobox', 'Device')
    await page.keyboard.type('local-2')
    await page.keyboard.press('Control+Enter')
    await page.locator('.page-head').getByText('succeeded').waitFor()
    await page.getByRole('log').getByText('3 for somebody').waitFor()
    const id = taskShown()
    expect((await fleet.task(id)).device).toBe('local-2')
    await page.keyboard.press('g')
    await page.keyboard.press('t')
    await tabTo(page, 'link', /for i in 1 2 3/)
    await page.keyboard.press('ArrowDown')
    expect(await page.locator(':focus').textContent()).toContain('was here')
    await page.keyboard.press('Home')
    await page.keyboard.press('Enter')
    await page.getByRole('log').getByText('3 for somebody').waitFor()
    expect(taskShown()).toBe(id)
  })

  test('what the controller would refuse is told at its field, before and after one submits', async () => {
    await go('/tasks/new')
    await press('Submit')
    await says('Say what it is to run')
    await field('Command').fill(`echo 'open`)
    await says('A single quote is not closed')
    await field('Command').fill('true')
    await press('Devices by labels')
    await field('Selector').fill('role=a,,')
    await page
      .locator('.field', { has: field('Selector') })
      .getByText('cannot read')
      .waitFor()
    expect(await field('Selector').getAttribute('aria-invalid')).toBe('true')
    await page.getByText('Options:').click()
    await field('Time limit').fill('-5')
    await page
      .locator('.field', { has: field('Time limit') })
      .locator('.field-error')
      .waitFor()
    await field('Time limit').fill('soon')
    await page
      .locator('.field', { has: field('Time limit') })
      .getByText('not a number')
      .waitFor()
    await field('Time limit').fill('5')
    await field('Selector').fill('role=builder')
    await says('no device matches the selector')
    await page.getByText('2 devices would not').click()
    await page.locator('.preview-others').getByText('local-2').waitFor()
    expect(page.url()).toContain('/tasks/new')
  })

  test('a task is edited and run again, with all that the form does not show', async () => {
    const id = await fleet.submit({
      payload: { script: '#!/bin/sh\necho first "$1"\n', args: ['a b', '', 'c\nd'], env: { X: 'y=z', LINES: 'one\ntwo' } },
      target: { device: 'local-1' },
      options: { on_lost: 'stop', timeout_seconds: 60 },
      metadata: { title: 'A script', ticket: 7 },
      tags: ['two words', 'b', 'c,d'],
    })
    await go(`/tasks/${id}`)
    await page.locator('.page-head').getByText('succeeded').waitFor()
    await page.getByRole('link', { name: 'Edit and run again' }).click()
    expect(await field('Script').inputValue()).toBe('#!/bin/sh\necho first "$1"\n')
    expect(await page.getByLabel('Device', { exact: true }).inputValue()).toBe('local-1')
    await page.getByRole('heading', { level: 1 }).focus()
    await page.keyboard.press('n')
    await field('Command').waitFor()
    expect(await field('Command').inputValue(), 'a new task is not the one before').toBe('')
    await page.goBack()
    await field('Script').waitFor()
    await field('Script').fill('#!/bin/sh\necho second "$1" $X $# "$LINES"\n')
    await press('Submit')
    await page.getByRole('log').getByText('second a b y=z 3 one').waitFor()
    expect((await fleet.answered('GET', `/tasks/${taskShown()}`)).body).toMatchObject({
      options: { on_lost: 'stop', timeout_seconds: 60 },
      payload: { args: ['a b', '', 'c\nd'], env: { X: 'y=z', LINES: 'one\ntwo' } },
      metadata: { name: 'A script', ticket: 7 },
      tags: ['two words', 'b', 'c,d'],
    })
  })

  test('the list shows new tasks and their states as they change; its filters are in the address', async () => {
    await go('/tasks')
    await page.getByRole('table').waitFor()
    const id = await fleet.submit({ payload: { command: ['sleep', '1000'] }, tags: ['sleepy'], target: { device: 'local-2' } })
    const row = page.getByRole('row', { name: /sleep 1000/ })
    await row.getByText('active').waitFor()
    await fleet.cancel(id)
    await row.getByText('cancelled', { exact: true }).waitFor()
    await page.getByRole('combobox', { name: 'State' }).selectOption('cancelled')
    await field('Tag').fill('sleepy')
    await eventually('the address has both', async () => page.url().endsWith('/tasks?state=cancelled&tag=sleepy'))
    await eventually('one task fits', async () => (await page.locator('tbody tr').count()) === 1)
    await field('Tag').fill('nobody')
    await says('No task fits')
    await page.goBack()
    await page
      .getByRole('row', { name: /true|first|second|echo/ })
      .first()
      .waitFor()
    expect(new URL(page.url()).search).toBe('')
  })

  test('a list that could not be read is there as soon as there is news', async () => {
    const isList = (url: URL): boolean => url.pathname === '/api/v1/tasks'
    await page.route(isList, (route) => route.abort())
    await go('/tasks')
    await page.getByRole('alert').getByText('cannot be reached').waitFor()
    await page.unroute(isList)
    await fleet.submit({ payload: { command: ['echo', 'the news'] }, target: { device: 'local-1' } })
    await page
      .getByRole('row', { name: /the news/ })
      .getByText('succeeded')
      .waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  test('a task on several devices shows how it went on each, and the log of the one that is chosen', async () => {
    const id = await fleet.submit({
      payload: { command: ['sh', '-c', 'echo on $SKEIN_DEVICE; [ $SKEIN_DEVICE = local-1 ]'] },
      target: { fanout: 'all' },
    })
    await go(`/tasks/${id}`)
    await page.locator('.page-head').getByText('failed', { exact: true }).waitFor()
    await says('Runs on 2 devices')
    await press('failed 1')
    expect(await page.locator('tbody tr').count()).toBe(1)
    await page.getByRole('link', { name: 'local-2' }).first().click()
    await page.getByRole('log').getByText('on local-2').waitFor()
    expect(page.url()).toContain('run=')
    await says('exited with 1')
  })

  test('a task that cannot be read says so, and is right again by itself', async () => {
    const id = await fleet.submit({ payload: { command: ['sleep', '1000'] }, target: { device: 'local-1' } })
    await go(`/tasks/${id}`)
    await page.locator('.page-head').getByText('active').waitFor()
    await page.route(`**/api/v1/tasks/${id}`, (route) => route.abort())
    await fleet.cancel(id)
    await page.getByRole('alert').getByText('cannot be reached').waitFor()
    await page.locator('.page-head').getByText('active').waitFor()
    await page.unroute(`**/api/v1/tasks/${id}`)
    await page.locator('.page-head').getByText('cancelled', { exact: true }).waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  test('a viewer sees all of it, and nothing to press', async () => {
    const { stdout } = await fleet.cli(['token', 'create', '--name', 'vera', '--role', 'viewer'])
    const token = stdout.trim().split('\n').at(-1) ?? ''
    const other = await world.open('/tasks', token)
    await other.page.getByRole('table').waitFor()
    expect(await other.page.getByText('New task').count()).toBe(0)
    await other.page.locator('[data-row]').first().click()
    await other.page.getByRole('heading', { name: 'What happened' }).waitFor()
    for (const name of ['Cancel', 'Run again', 'Edit and run again'])
      expect(await other.page.getByText(name, { exact: true }).count()).toBe(0)
    await other.page.goto(`${fleet.endpoints.http}/tasks/new`)
    await other.page.getByText('You may look, but not submit tasks').waitFor()
    expect(other.faults).toEqual([])
    await other.close()
  })
})
