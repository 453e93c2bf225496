import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { listWorkloadFiles } from '../../base/workload-files/list.ts'
import { type ReadContext, readWorkloadFiles } from '../../base/workload-files/read.ts'
import { bombs } from './yaml-bombs.ts'

type Device = ReadContext['device']

const readAll = (files: Record<string, string>, env: Record<string, string> = {}, device?: Device) =>
  readWorkloadFiles(
    Object.entries(files).map(([path, text]) => ({ path, text })),
    { env, device },
  )
const specsIn = (files: Record<string, string>, env?: Record<string, string>, device?: Device) => {
  const read = readAll(files, env, device)
  if (!read.ok) throw new Error(JSON.stringify(read.faults))
  return read.workloads.map(({ spec }) => spec)
}
const faultsIn = (files: Record<string, string>, env?: Record<string, string>, device?: Device) => {
  const read = readAll(files, env, device)
  return read.ok ? [] : read.faults
}
/** Each as `file:line field code`. */
const faults = (...given: Parameters<typeof faultsIn>): string[] =>
  faultsIn(...given).map(({ file, line, field, code }) => `${file}:${line} ${field} ${code}`)

const one = 'name: a\ntype: script\nrun_mode: forever\n'

describe('readWorkloadFiles()', () => {
  test('reads one workload, or a list of them; a file with nothing in it has none', () => {
    const list = `workloads:\n- {name: b, type: script, run_mode: forever, command: x}\n- name: c\n  type: agent\n  run_mode: n_times\n  max_runs: 3\n  command: x\n`
    const read = readAll({
      'a.yaml': `${one}command: x\n`,
      'list.yml': list,
      'none.yaml': '# name: x\n',
      'empty.yaml': '',
      'no.yaml': 'workloads: []\n',
    })
    expect(read.ok && read.workloads.map(({ spec, file, line }) => `${spec.name} ${file}:${line}`)).toEqual([
      'a a.yaml:1',
      'b list.yml:2',
      'c list.yml:3',
    ])
    expect(
      specsIn({ 'a.json': '{"name": "a", "type": "script", "run_mode": "forever", "command": "x", "vars": {"b": 1}}' }),
    ).toHaveLength(1)
  })

  test('names the line of every fault', () => {
    const text = `# a comment\n${one}restart:\n  delay_seconds: 5\n  polcy: never\nfiles:\n  - path: ok\n    content: x\n  - content: y\n    path: /etc/x\ntimeout: -1\ncommand: x\nenv:\n  A.B: x\n`
    expect(faults({ 'a.yaml': text })).toEqual([
      'a.yaml:7 restart.polcy unknown_field',
      'a.yaml:12 files.1.path invalid_path',
      'a.yaml:13 timeout too_small',
      'a.yaml:16 env.A.B invalid_key',
    ])
    expect(faults({ 'a.yaml': 'workloads:\n- name: x\n- name: y\n  type: script\n  run_mode: often\n  command: x\n' })).toEqual([
      'a.yaml:2 workloads.0.type required',
      'a.yaml:2 workloads.0.run_mode required',
      'a.yaml:2 workloads.0.command required',
      'a.yaml:5 workloads.1.run_mode invalid_value',
    ])
  })

  test('refuses what is no workload', () => {
    expect(faults({ 'a.yaml': '- name: x\n' })).toEqual(['a.yaml:1 (input) invalid_type'])
    expect(faults({ 'a.yaml': 'hello\n' })).toEqual(['a.yaml:1 (input) invalid_type'])
    expect(faults({ 'a.yaml': '\nworkloads: x\n' })).toEqual(['a.yaml:2 workloads invalid_type'])
    expect(faults({ 'a.yaml': 'workloads:\n- 5\n' })).toEqual(['a.yaml:2 workloads.0 invalid_type'])
    expect(faults({ 'a.yaml': 'workloads: []\ntimeout: 5\n' })).toEqual(['a.yaml:2 timeout unknown_field'])
  })

  test('refuses YAML that is broken or means something else to others', () => {
    expect(faults({ 'a.yaml': `${one}command: [x\n` })).toEqual(['a.yaml:5 (file) invalid_yaml'])
    expect(faults({ 'a.yaml': `${one}command: x\nname: b\n` })).toEqual(['a.yaml:5 name duplicate_key'])
    expect(faults({ 'a.yaml': `${one}command: x\nenv: {A: "1", A: "2"}\n` })).toEqual(['a.yaml:5 env.A duplicate_key'])
    expect(faults({ 'a.yaml': `${one}command: x\nenv:\n  [a]: "1"\n` })).toEqual(['a.yaml:6 env.(key) invalid_key'])
    expect(faults({ 'a.yaml': `${one}command: !!js/function "x"\n` })).toEqual(['a.yaml:4 (file) unknown_tag'])
    expect(faults({ 'a.yaml': `${one}command: !!binary eA==\n` })).toEqual(['a.yaml:4 (file) unknown_tag'])
    expect(faults({ 'a.yaml': `${one}command: x\n---\n${one}command: x\n` })).toEqual(['a.yaml:5 (file) several_documents'])
    expect(specsIn({ 'a.yaml': `---\n${one}command: !!str x\n...\n` })).toHaveLength(1)
  })

  test('takes anchors, aliases and merges', () => {
    const text = `workloads:\n- &base\n  name: a\n  type: script\n  run_mode: forever\n  command: x\n- {<<: *base, name: b}\n- <<: *base\n  name: c\n  nam: d\n`
    expect(faults({ 'a.yaml': text })).toEqual(['a.yaml:10 workloads.2.nam unknown_field'])
    expect(specsIn({ 'a.yaml': text.replace('  nam: d\n', '') }).map(({ name, command }) => [name, command])).toEqual([
      ['a', 'x'],
      ['b', 'x'],
      ['c', 'x'],
    ])
  })

  test('wants names that are unique across all files, and tells both places', () => {
    expect(faultsIn({ 'a.yaml': `${one}command: x\n`, 'b/c.yaml': `# \n${one}command: x\n` })).toEqual([
      {
        file: 'b/c.yaml',
        line: 2,
        field: 'name',
        code: 'duplicate',
        message: '"a" is the name of another workload already, in a.yaml:1',
      },
    ])
  })

  test('finds circles of dependencies, and leaves names that it does not know to the device', () => {
    const workload = (name: string, ...on: string[]) =>
      `name: ${name}\ntype: service\nrun_mode: forever\ncommand: x\ndepends_on: [${on.join(', ')}]\n`
    const files = { 'a.yaml': workload('a', 'b'), 'b.yaml': workload('b', 'elsewhere', 'c'), 'c.yaml': workload('c', 'a') }
    expect(faultsIn(files)).toMatchObject([
      { file: 'c.yaml', line: 5, field: 'depends_on.0', code: 'cycle', message: 'closes a circle: a → b → c → a' },
    ])
    expect(faults({ ...files, 'c.yaml': workload('c') })).toEqual([])
    expect(faults({ ...files, 'c.yaml': workload('c', 'b'), 'd.yaml': workload('d', 'a', 'b', 'c') })).toEqual([
      'c.yaml:5 depends_on.0 cycle',
    ])
    const many = Array.from({ length: 3000 }, (_, i) => [`${i}.yaml`, workload(`w${i}`, ...(i > 0 ? [`w${i - 1}`] : []))])
    expect(faults(Object.fromEntries(many))).toEqual([])
  })

  test('refuses to wait for the completion of what never completes', () => {
    const waits = `name: b\ntype: script\nrun_mode: n_times\nmax_runs: 1\ncommand: x\ndepends_on:\n- {name: a, condition: completed}\n`
    expect(faults({ 'a.yaml': `${one}command: x\n`, 'b.yaml': waits })).toEqual(['b.yaml:7 depends_on.0 never'])
    expect(faults({ 'a.yaml': `${one}command: x\nrestart: {policy: on-failure}\n`, 'b.yaml': waits })).toEqual([])
  })
})

describe('templates', () => {
  const command = (text: string, ...more: [Record<string, string>?, Device?]) =>
    specsIn({ 'a.yaml': `${one}${text}` }, ...more)[0]?.command

  test('read variables of the file, the environment and the device, by vars. or by the plain name', () => {
    const device = { name: 'pi-1', labels: { site: 'berlin', 'agent.goose': '1.2' } }
    expect(command('vars:\n  n: 5\ncommand: ["{{ vars.n }}", "{{ n }}"]\n')).toEqual(['5', '5'])
    expect(command('command: "{{ env.GREETING }}"\n', { GREETING: 'hi' })).toBe('hi')
    expect(
      command(
        'command: "{{ device.name }} {{ device.labels.site }} {{ device.labels["agent.goose"] }}"\n'.replaceAll(
          '"agent.goose"',
          "'agent.goose'",
        ),
        {},
        device,
      ),
    ).toBe('pi-1 berlin 1.2')
    // Names that are taken stay reachable by vars.
    expect(command("vars: {env: mine}\ncommand: '{{ vars.env }} {{ env.A }}'\n", { A: '1' })).toBe('mine 1')
  })

  test('shared variables hold for the files beside and below; what stands nearer wins, the own vars most', () => {
    const text = (name: string, vars = '') =>
      `name: ${name}\n${vars}type: script\nrun_mode: forever\ncommand: "{{ a }} {{ b }} {{ c }}"\n`
    const files = {
      'w/vars.yaml': 'a: top\nb: top\nc: "{{ env.C }}"\n',
      'w/sub/vars.yml': 'b: sub\n',
      'w/other/vars.yml': 'b: other\n',
      'w/x.yaml': text('x'),
      'w/sub/deep/y.yaml': text('y'),
      'w/sub/z.yaml': text('z', 'vars:\n  a: own\n'),
    }
    expect(specsIn(files, { C: 'env' }).map((spec) => spec.command)).toEqual(['top top env', 'top sub env', 'own sub env'])
    expect(faults({ 'vars.yaml': 'a: "{{ env.C }}"\n', 'x.yaml': `${one}command: x\n` })).toEqual([
      'vars.yaml:1 env.C undefined_variable',
    ])
    expect(faults({ 'vars.yaml': '- a\n' })).toEqual(['vars.yaml:1 (file) invalid_type'])
    expect(faults({ 'vars.yaml': 'a: 1\n', 'vars.yml': 'a: 2\n' })).toEqual(['vars.yml:null (file) ambiguous'])
  })

  test('what is not defined is an error with file, line and variable', () => {
    const at = (line: string, ...more: [Record<string, string>?, Device?]) =>
      faultsIn({ 'a.yaml': `vars:\n  seconds: 5\n${one}${line}` }, ...more)
    expect(at('command: "{{ vars.secnds }}"\n')).toEqual([
      {
        file: 'a.yaml',
        line: 6,
        field: 'vars.secnds',
        code: 'undefined_variable',
        message: 'is not defined, did you mean "vars.seconds"?',
        accepted: ['vars.seconds'],
      },
    ])
    expect(at('command: "{{ secnds }}"\n')).toMatchObject([{ field: 'secnds', line: 6, accepted: ['seconds'] }])
    expect(at('command: "{{ env.NOT_SET }}"\n')).toMatchObject([
      { field: 'env.NOT_SET', message: 'is not set in the environment' },
    ])
    expect(at('command: "{{ vars.constructor }}"\n')).toMatchObject([{ field: 'vars.constructor' }])
    expect(at('command: "{{ constructor }}{{ __proto__ }}"\n')).toMatchObject([{ field: 'constructor' }])
    expect(at('command: |\n  a\n  {% for x in vars.nope %}{% endfor %}\n')).toMatchObject([{ field: 'vars.nope', line: 8 }])
    expect(at('command: "{{ device.labels.site }}"\n')).toMatchObject([{ field: 'device', line: 6, code: 'needs_device' }])
    expect(at('command: "{{ device.labels.sit }}"\n', {}, { labels: { site: 'x' } })).toMatchObject([
      { field: 'device.labels.sit', code: 'undefined_variable', accepted: ['device.labels.site'] },
    ])
    expect(at('command: "{{ device.name }}"\n', {}, { labels: {} })).toMatchObject([{ field: 'device.name' }])
    expect(faults({ 'a.yaml': `vars:\n  x: 1\n\n  y: "{{ vars.z }}"\n${one}command: "{{ y }}"\n` })).toEqual([
      'a.yaml:4 vars.z undefined_variable',
    ])
    expect(command('command: "{{ vars.x | default: 7 }}{% if vars.y %}no{% endif %}"\n')).toBe('7')
  })

  test('faults of filters and tags are told with their line', () => {
    const at = (line: string) =>
      faultsIn({ 'a.yaml': `${one}${line}` }).map(({ line, code, message }) => `${line} ${code} ${message}`)
    expect(at('command: "{{ 1 | nope }}"\n')).toEqual(['4 invalid_template undefined filter: nope'])
    expect(at('command: "{% nope %}"\n')).toEqual(['4 invalid_template tag "nope" not found'])
    expect(at('command: "{{ 1"\n')).toEqual([expect.stringMatching(/^4 invalid_template output .* not closed$/)])
    // Neither other files, nor what differs from one time to the next.
    for (const tag of [
      '{% include "/etc/passwd" %}',
      '{% render "x" %}',
      '{% layout "x" %}',
      "{{ 'now' | date: '%s' }}",
      '{{ "a" | sample }}',
    ])
      expect(at(`command: ${JSON.stringify(tag)}\n`)).toEqual([expect.stringMatching(/^4 invalid_template/)])
  })

  test('lists and maps are put in as JSON, text as it is', () => {
    const text = `vars:\n  list: [a, "b c"]\n  map: {x: 1}\n  yes: true\n  none:\n  hard: "a: \\"b\\" #c"\n${one}tags: {{ vars.list }}\ncommand: {{ vars.hard | json }}\nenv: { A: '{{ vars.map }}', B: "{{ yes }}", C: "{{ none }}", D: "{{ vars.list | join: '-' | upper }}" }\n`
    expect(specsIn({ 'a.yaml': text })).toMatchObject([
      { tags: ['a', 'b c'], command: 'a: "b" #c', env: { A: '{"x":1}', B: 'true', C: '', D: 'A-B C' } },
    ])
  })

  test('lines of faults are those of the file, also behind loops, conditions and what was left out', () => {
    const text = `vars:\n  n: 3\nworkloads:\n{% for i in (1..3) -%}\n- name: w{{ i }}\n  type: script\n  run_mode: forever\n  command: x\n  {% if i == 2 %}\n  nope: 1\n  {% endif %}\n{% endfor %}\n{% comment %}\n\n{% endcomment %}\n- name: last\n  type: script\n  run_mode: forever\n  command: |\n    {% raw %}{{ a }}\n    {{ b }}{% endraw %}\n  nope: 2\n`
    expect(faults({ 'a.yaml': text })).toEqual([
      'a.yaml:10 workloads.1.nope unknown_field',
      'a.yaml:22 workloads.3.nope unknown_field',
    ])
    const good = text.replaceAll(/^ *nope: .*\n/gm, '')
    expect(specsIn({ 'a.yaml': good }).map(({ name }) => name)).toEqual(['w1', 'w2', 'w3', 'last'])
    expect(specsIn({ 'a.yaml': good }).at(-1)?.command).toBe('{{ a }}\n{{ b }}\n')
    expect(faults({ 'a.yaml': `${one}command: x\r\nfoo: {{ 1 }}\r\n` })).toEqual(['a.yaml:5 foo unknown_field'])
    expect(faults({ 'a.yaml': `${one}{% capture x %}\nab\n\n{% endcapture %}command: {{ x | strip }}\nfoo: 1\n` })).toEqual([
      'a.yaml:8 foo unknown_field',
    ])
  })

  test('a file without templates is taken as it is', () => {
    const text = `vars: {unused: 1}\n${one}command: "{ {x} } %}"\n`
    expect(specsIn({ 'a.yaml': text })[0]?.command).toBe('{ {x} } %}')
  })
})

describe('limits', () => {
  test('what is too large is refused before it is read', () => {
    expect(faultsIn({ 'a.yaml': `# ${'ä'.repeat(131_072)}` })).toMatchObject([{ line: null, field: '(file)', code: 'too_large' }])
    expect(
      faultsIn({ 'a.yaml': `${one}command: "${'{{ vars.x }}'.repeat(20)}"\nvars: {x: "${'y'.repeat(20_000)}"}` }),
    ).toMatchObject([{ message: expect.stringContaining('262144') }])
  })

  test('a large file that is honest is taken', () => {
    const script = Array.from({ length: 9000 }, (_, i) => `  echo line ${i}\n`).join('')
    expect(specsIn({ 'a.yaml': `${one}script: |\n  #!/bin/sh\n${script}` })).toHaveLength(1)
    const many = Array.from(
      { length: 200 },
      (_, i) =>
        `- name: w${i}\n  type: service\n  run_mode: forever\n  command: [sleep, "5"]\n  memory_limit_mb: 64\n  tags: [a, b]\n  env:\n    N: "${i}"\n    LEVEL: info\n  restart:\n    delay_seconds: 5\n`,
    )
    expect(specsIn({ 'a.yaml': `workloads:\n${many.join('')}` })).toHaveLength(200)
  })

  // How soon is measured by `npm run bench -- validate`.
  test.each(Object.keys(bombs))('the bomb "%s" is refused', (name) => {
    expect(faultsIn({ 'a.yaml': bombs[name] ?? '' }).length).toBeGreaterThan(0)
  })
})

describe('listWorkloadFiles()', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skein-files-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const write = (...paths: string[]): void => {
    for (const path of paths) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), 'a: 1\n')
    }
  }
  const listed = (path = ''): string[] => {
    const list = listWorkloadFiles(join(folder, path))
    return list.ok
      ? list.files.map((file) => file.path.slice(folder.length + 1))
      : list.faults.map(({ file, code, message }) => `${file.slice(folder.length + 1)}: ${code}: ${message}`)
  }

  test('finds *.yaml and *.yml in the order of their names, but not what is not for workloads', () => {
    write(
      'b.yml',
      'a.yaml',
      'sub/c.yaml',
      'vars.yaml',
      'daemon.yaml',
      'sub/inventory.yml',
      '.hidden/x.yaml',
      '.x.yaml',
      'node_modules/p/y.yaml',
      'notes.txt',
    )
    expect(listed()).toEqual(['a.yaml', 'b.yml', 'sub/c.yaml', 'vars.yaml'])
    expect(listed('b.yml')).toEqual(['vars.yaml', 'b.yml'])
    expect(listed('sub/c.yaml')).toEqual(['sub/c.yaml'])
  })

  test('follows links, but not in a circle', () => {
    write('real/a.yaml')
    symlinkSync('real', join(folder, 'link'))
    symlinkSync('..', join(folder, 'real', 'up'))
    expect(listed()).toEqual(['link/a.yaml', 'real/a.yaml'])
  })

  test('says what cannot be read', () => {
    expect(listed('gone')).toEqual(['gone: unreadable: cannot be read: no such file or folder'])
    write('a.yaml')
    symlinkSync('gone', join(folder, 'broken.yaml'))
    writeFileSync(join(folder, 'latin.yaml'), Buffer.from([0x61, 0xe4]))
    writeFileSync(join(folder, 'large.yaml'), Buffer.alloc(300_000))
    execFileSync('mkfifo', [join(folder, 'pipe.yaml')])
    expect(listed()).toEqual([
      'broken.yaml: unreadable: cannot be read: no such file or folder',
      'large.yaml: too_large: has 300000 bytes, more than 262144',
      'latin.yaml: not_utf8: is not UTF-8',
      'pipe.yaml: unreadable: is no regular file',
    ])
  })
})
