// A type of workloads: a container, run by podman or docker.
//
//   name: web
//   type: container
//   run_mode: forever
//   params: { image: "docker.io/library/nginx:1.27", ports: ["8080:80"], env: { TZ: UTC } }
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

const known = ['image', 'args', 'ports', 'env']
const isTexts = (value) => Array.isArray(value) && value.every((one) => typeof one === 'string')
const isVariables = (value) =>
  typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string')

const validate = ({ image, args = [], ports = [], env = {}, ...others }) => {
  const faults = []
  if (typeof image !== 'string' || !/^[a-z0-9][\w./:@-]*$/i.test(image))
    faults.push({ field: 'image', message: 'must be the name of an image, as in docker.io/library/nginx:1.27' })
  if (!isTexts(args)) faults.push({ field: 'args', message: 'must be a list of texts' })
  if (!isTexts(ports) || !ports.every((one) => /^([\d.]+:)?\d{1,5}:\d{1,5}(\/(tcp|udp))?$/.test(one)))
    faults.push({ field: 'ports', message: 'must be a list such as ["8080:80", "127.0.0.1:9000:9000/udp"]' })
  if (!isVariables(env)) faults.push({ field: 'env', message: 'must be names with their texts' })
  for (const field of Object.keys(others)) faults.push({ field, message: `is none of ${known.join(', ')}` })
  return faults
}

const engineIn = (path = '/usr/local/bin:/usr/bin:/bin') => {
  const candidates = ['podman', 'docker'].flatMap((engine) => path.split(':').map((folder) => join(folder, engine)))
  const found = candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false // the next one
    }
  })
  if (found === undefined) throw new Error('there is neither podman nor docker on this device')
  return found
}

const command = ({ image, args = [], ports = [], env = {} }, { name, device }) => {
  const engine = engineIn(process.env.PATH)
  const container = `skein-${device}-${name}`
  const run = ['run', '--rm', '--init', '--name', container, '--label', `skein.workload=${name}`]
  for (const port of ports) run.push('--publish', port)
  // By their names only: the values are in the environment of the engine, and not in its arguments, which everybody may read.
  for (const variable of Object.keys(env)) run.push('--env', variable)
  // Docker runs containers in a daemon of its own: one that was killed with SIGKILL may have left its container.
  const script = 'engine=$1; name=$2; shift 2; "$engine" rm --force "$name" >/dev/null 2>&1; exec "$engine" "$@"'
  return { command: ['sh', '-c', script, 'container', engine, container, ...run, '--', image, ...args], env }
}

export const workloadTypes = { container: { validate, command } }
