import type { WorkloadSpec } from '../../schemas/workload.ts'

/** The words that call a function of a module with the params: the module is looked for in the working folder first. */
export const moduleWords = ({ runtime = 'python', module = '' }: Pick<WorkloadSpec, 'runtime' | 'module'>): string[] =>
  runtime === 'python' ? ['python3', '-u', '-c', python] : ['node', '--input-type=module', '-e', node, '--', module]

/** The words of a prompt in which the module is there already. */
export const moduleShellWords = ({ runtime = 'python', module = '' }: Pick<WorkloadSpec, 'runtime' | 'module'>): string[] =>
  runtime === 'python'
    ? ['python3', '-i', '-c', `import sys; sys.path.insert(0, ''); import ${module}; print('${module} is imported')`]
    : ['node', '-i', '-e', `import(${JSON.stringify(fileLike(module))}).then((one) => { globalThis.module_ = one })`]

/** What a module is told by, beside its arguments. */
export const moduleEnv = (spec: Pick<WorkloadSpec, 'module' | 'entry_point' | 'params'>): Record<string, string> => ({
  SKEIN_MODULE: spec.module ?? '',
  SKEIN_ENTRY_POINT: spec.entry_point ?? 'run',
  SKEIN_PARAMS_JSON: JSON.stringify(spec.params),
})

const fileLike = (module: string): string => (module.startsWith('.') || module.startsWith('/') ? module : `./${module}`)

const python = `
import importlib, inspect, json, os, sys
sys.path.insert(0, os.getcwd())
name = os.environ['SKEIN_MODULE']
point = os.environ['SKEIN_ENTRY_POINT']
try:
    module = importlib.import_module(name)
except ModuleNotFoundError as error:
    if error.name is None or not (name == error.name or name.startswith(error.name + '.')):
        raise
    print(f'there is no module "{name}": {error}', file=sys.stderr)
    sys.exit(1)
call = module
for part in point.split('.'):
    call = getattr(call, part, None)
if not callable(call):
    print(f'module "{name}" has no function "{point}"', file=sys.stderr)
    sys.exit(1)
result = call(**json.loads(os.environ['SKEIN_PARAMS_JSON']))
if inspect.iscoroutine(result):
    import asyncio
    asyncio.run(result)
`.trim()

const node = `
import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
const name = process.env.SKEIN_MODULE
const point = process.env.SKEIN_ENTRY_POINT
const fail = (text) => { console.error(text); process.exit(1) }
const near = ['', '.js', '.mjs', '.cjs', '/index.js'].map((end) => resolve(name + end)).find((path) => existsSync(path) && !existsSync(path + '/.'))
let target
try {
  target = near ?? createRequire(resolve('noop.js')).resolve(name)
} catch {
  fail('there is no module "' + name + '"')
}
const module = await import(pathToFileURL(target).href)
const from = point.split('.').reduce((one, part) => one?.[part], module) ?? point.split('.').reduce((one, part) => one?.[part], module.default)
if (typeof from !== 'function') fail('module "' + name + '" has no function "' + point + '"')
await from(JSON.parse(process.env.SKEIN_PARAMS_JSON))
`.trim()
