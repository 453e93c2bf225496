import { nearest } from '../../schemas/faults.ts'
import { type FileFault, linesOf, maxFileBytes, type SourceFile, tooLarge, wholeFile } from './file-faults.ts'
import { hasTemplates, renderTemplates, type TemplateFault, type Variables } from './template.ts'
import { readYaml } from './yaml.ts'

export type Source = { ok: true; value: unknown; lineOf: (field: string) => number } | { ok: false; faults: FileFault[] }

/** What a text holds once its templates are rendered. Every fault names its line in the text as it was written. */
export const readSource = ({ path, text }: SourceFile, variables: Variables): Source => {
  const bytes = Buffer.byteLength(text)
  if (bytes > maxFileBytes) return { ok: false, faults: [{ file: path, line: null, field: wholeFile, ...tooLarge(bytes) }] }
  const rendered = hasTemplates(text)
    ? renderTemplates(text, variables)
    : { ok: true as const, text, sourceOf: (offset: number) => offset }
  if (!rendered.ok) return { ok: false, faults: [templateFault(path, rendered.fault, variables)] }
  const yaml = readYaml(rendered.text)
  const lineIn = linesOf(text)
  const lineOf = (offset: number): number => lineIn(rendered.sourceOf(offset))
  if (yaml.ok) return { ok: true, value: yaml.value, lineOf: (field) => lineOf(yaml.offsetOf(field)) }
  const faults = yaml.faults.map(({ offset, field, code, message }) => ({
    file: path,
    line: lineOf(offset),
    field: field ?? wholeFile,
    code,
    message,
  }))
  return { ok: false, faults }
}

const templateFault = (file: string, { line, variable, message }: TemplateFault, { vars, device }: Variables): FileFault => {
  if (variable === undefined) return { file, line, field: wholeFile, code: 'invalid_template', message }
  const [root, name] = variable.split('.')
  const at = { file, line, field: variable }
  if (root === 'device' && device === undefined)
    return { ...at, code: 'needs_device', message: 'depends on the device, and none is known here' }
  if (root === 'env' && name !== undefined) return { ...at, code: 'undefined_variable', message: 'is not set in the environment' }
  const known = [
    ...Object.keys(vars).flatMap((one) => [one, `vars.${one}`]),
    ...['vars', 'env', 'device'],
    ...keysIn(device, 'device'),
    ...keysIn(device?.['labels'], 'device.labels'),
  ].filter((one) => one !== variable && one.split('.').length === variable.split('.').length)
  const near = nearest(variable, known)
  const told = near ? `is not defined, did you mean "${near}"?` : 'is not defined'
  return { ...at, code: 'undefined_variable', message: told, ...(near ? { accepted: [near] } : {}) }
}

const keysIn = (value: unknown, path: string): string[] =>
  typeof value === 'object' && value !== null ? Object.keys(value).map((key) => `${path}.${key}`) : []
