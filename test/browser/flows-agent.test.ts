import { existsSync, readFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findAgentPrograms, type Model, processesWith, startModel } from '../harness/agent-programs.ts'
import { type BrowserWorld, startBrowserWorld } from '../harness/browser-world.ts'
import { chromiumProgram, faultsOnScreens } from '../harness/chromium.ts'
import { eventually } from '../harness/eventually.ts'
import type { Installation } from '../harness/installation.ts'

const program = chromiumProgram()
const agents = findAgentPrograms()

describe.skipIf(program === undefined || agents === undefined)('an agent, in a browser', () => {
  let world: BrowserWorld
  let fleet: Installation
  let model: Model
  let page: Page
  beforeAll(async () => {
    const env = { PATH: [agents?.path, process.env['PATH']].join(delimiter), SKEIN_CAPACITY: '4' }
    world = await startBrowserWorld(program ?? '', { env }, async (installed) => {
      const shell = (command: string) => ({ tool: 'shell', arguments: { command } })
      model = await startModel(installed.root, {
        work: [
          shell('i=0; while [ ! -e "$GO" ]; do i=$((i+1)); echo step $i; sleep 0.2; done; echo over'),
          shell('cat /no/such/file'),
          shell('echo left >$SKEIN_ARTIFACTS/left.txt; seq 1 3000'),
          { say: 'All of it is <b>done</b>.' },
        ],
        ask: [shell('echo yes >>"$GO"'), shell('echo no >>"$GO"'), { say: 'That was all.' }],
      })
      const hasGoose = async () => (await installed.answered('GET', '/devices/local')).body.labels?.['agent.goose'] !== undefined
      await eventually('the device tells that it has Goose', hasGoose)
    })
    ;({ fleet, page } = world)
  })
  afterAll(async () => {
    model?.close()
    await world?.close()
  })

  const go = (path: string) => world.go(path)
  const file = (name: string): string => `${fleet.root}/${name}`
  const talk = () => page.getByRole('log', { name: 'Conversation' })
  const tool = (command: string) => talk().locator('.tool', { hasText: command })
  const asked = (prompt: string, more: object = {}, goFile = file('go')): Promise<string> =>
    fleet.submit({
      type: 'agent',
      payload: { prompt, provider: 'openai', model: 'scripted', env: { ...model.env, GO: goFile }, ...more },
      target: { device: 'local' },
    })

  test('one sees what it does as it does it, tells it something, and how it ended', async () => {
    const id = await asked('[work] Begin.', { budget: { tokens: 100_000 }, max_turns: 20 })
    await go(`/tasks/${id}`)
    await talk().getByText('[work] Begin.').waitFor()
    await tool('while').getByText('step 2').waitFor()
    await page.getByRole('textbox', { name: 'Tell the agent something' }).fill('Hurry <i>up</i>')
    await page.keyboard.press('Enter')
    await talk().locator('.talk-said').getByText('Hurry <i>up</i>').waitFor()
    expect(await faultsOnScreens(page)).toEqual([])
    await fleet.submit({ payload: { command: ['touch', file('go')] }, target: { device: 'local' } })
    await page.locator('.page-head').getByText('succeeded').waitFor()
    await talk().getByText('All of it is <b>done</b>.').waitFor()
    await page.getByText('The agent came to an answer.').waitFor()
    // What has failed is open, what went well is closed until somebody opens it.
    await tool('/no/such/file').getByText('No such file or directory').waitFor()
    expect(await tool('seq').getByText('2999').count()).toBe(0)
    await tool('seq').locator('summary').click()
    await tool('seq').getByRole('button', { name: 'Show all' }).click()
    await tool('seq')
      .getByText(/^1\n2\n3\n/)
      .waitFor()
    await page.getByRole('cell', { name: 'left.txt' }).waitFor()
    expect(await page.locator('.usage').textContent()).toMatch(/Turns4 of 20Tokens[\d,]+ of 100,000/)
    expect(await page.getByRole('textbox', { name: 'Tell the agent something' }).count()).toBe(0)
    expect(await faultsOnScreens(page)).toEqual([])
  })

  test('what it wants to do is approved in the conversation, and rejected by keys with a reason', async () => {
    const id = await asked('[ask] Begin.', { approve: 'tools' }, file('asked'))
    await go(`/tasks/${id}`)
    await talk().locator('.approval').getByText('echo yes').first().waitFor()
    await talk().getByRole('button', { name: 'Approve' }).click()
    await talk()
      .getByText(/echo yes.*approved by admin/)
      .waitFor()
    await talk().locator('.approval').getByText('echo no').first().waitFor()

    await page.keyboard.press('g')
    await page.keyboard.press('a')
    await page.getByRole('heading', { name: 'Approvals' }).waitFor()
    const waiting = page.locator('.approvals').getByRole('listitem')
    await waiting.getByText('echo no').first().waitFor()
    expect(await faultsOnScreens(page)).toEqual([])
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.getByRole('textbox', { name: 'Reason' }).waitFor()
    await page.keyboard.type('not <b>today</b>')
    await page.keyboard.press('Enter')
    await page.getByText('Nothing waits for approval').waitFor()
    await page.getByRole('row', { name: /echo no.*not <b>today<\/b>.*rejected.*admin/ }).waitFor()
    await page.getByRole('link', { name: /echo no/ }).click()
    await talk().getByText('That was all.').waitFor()
    await talk()
      .getByText(/rejected by admin: not <b>today<\/b>/)
      .waitFor()
  })

  test('it is asked by the form, let do what it wants, and stopped', async () => {
    await go('/tasks/new')
    await page.getByRole('button', { name: 'Agent', exact: true }).click()
    await page.getByRole('textbox', { name: 'What it is to do' }).fill('[ask] Begin.')
    await page.getByRole('textbox', { name: 'Provider' }).fill('openai')
    await page.getByRole('textbox', { name: 'Model' }).fill('scripted')
    await page.getByRole('button', { name: 'Always' }).click()
    await page.getByRole('textbox', { name: 'At most so many tokens' }).fill('5000')
    await page.getByText(/^Options:/).click()
    const env = Object.entries({ ...model.env, GO: file('wanted') }).map(([name, value]) => `${name}=${value}`)
    await page.getByRole('textbox', { name: 'Environment' }).fill(env.join('\n'))
    await page.getByRole('button', { name: 'Submit' }).click()
    await talk().locator('.approval').getByText('echo yes').first().waitFor()
    expect(existsSync(file('wanted')), 'nothing is done before').toBe(false)
    await talk().getByRole('button', { name: 'Approve' }).click()
    await talk().locator('.approval').getByText('echo no').first().waitFor()
    expect(readFileSync(file('wanted'), 'utf8')).toBe('yes\n')
    await page.locator('.usage').getByText('of 5,000').waitFor()
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByRole('dialog').getByText('is asked to stop').waitFor()
    await page.getByRole('button', { name: 'Cancel the task' }).click()
    await page.locator('.page-head').getByText('cancelled', { exact: true }).waitFor()
    const run = (await fleet.task(page.url().split('/').at(-1) ?? '')).runs[0]
    expect(run).toMatchObject({ state: 'cancelled', confirmed: true })
    expect(processesWith(`SKEIN_RUN=${run?.run_id}`)).toEqual([])
    await go('/approvals')
    await page.getByRole('row', { name: /echo no.*withdrawn/ }).waitFor()
    expect(await faultsOnScreens(page)).toEqual([])
  })

  test('a viewer sees what waits, and cannot answer', async () => {
    const { stdout } = await fleet.cli(['token', 'create', '--name', 'vera', '--role', 'viewer'])
    const id = await asked('[ask] Begin.', { approve: 'tools' }, file('viewed'))
    const token = stdout.trim().split('\n').at(-1) ?? ''
    const other = await world.open('/approvals', token)
    await other.page.locator('.approval').getByText('echo yes').first().waitFor()
    expect(await other.page.getByRole('button', { name: /Approve|Reject/ }).count()).toBe(0)
    await other.page.keyboard.press('j')
    await other.page.keyboard.press('a')
    expect(await other.page.getByRole('dialog').count()).toBe(0)
    await other.page.goto(`${fleet.endpoints.http}/tasks/${id}`)
    await other.page.locator('.approval').getByText('echo yes').first().waitFor()
    expect(await other.page.getByRole('button', { name: /Approve|Reject/ }).count()).toBe(0)
    expect(await other.page.getByRole('textbox', { name: 'Tell the agent something' }).count()).toBe(0)
    expect(other.faults).toEqual([])
    await other.close()
    await fleet.cancel(id)
  })
})
