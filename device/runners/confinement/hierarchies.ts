/** A mounted cgroup hierarchy, and where in it this process is. */
export interface Hierarchy {
  version: 1 | 2
  /** Of version 1; those of version 2 stand in a file of each cgroup. */
  controllers: readonly string[]
  /** The cgroup of this process. */
  folder: string
  /** The outermost cgroup that can be seen from here. */
  top: string
}

/** Reads /proc/self/mountinfo and /proc/self/cgroup. */
export const hierarchiesOf = (mountinfo: string, memberships: string): Hierarchy[] => {
  const members = memberships.split('\n').flatMap((line) => {
    const [, id, names, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    return id === undefined || names === undefined || path === undefined ? [] : [{ id, names: names.split(','), path }]
  })
  return mountinfo.split('\n').flatMap((line): Hierarchy[] => {
    const [mount = '', filesystem = ''] = line.split(' - ')
    const [, , , root = '', point = ''] = mount.split(' ').map(unescaped)
    const [type, , options = ''] = filesystem.split(' ')
    if (type !== 'cgroup' && type !== 'cgroup2') return []
    const names = options.split(',')
    const own = members.find((one) =>
      type === 'cgroup2' ? one.id === '0' : one.id !== '0' && names.includes(one.names[0] ?? ''),
    )
    if (!own) return []
    // In a container without a namespace of its own the mount begins further down than the paths do.
    const inside = `${own.path}/`.startsWith(root === '/' ? '/' : `${root}/`)
      ? own.path.slice(root === '/' ? 0 : root.length)
      : '/'
    const folder = inside === '/' ? point : point + inside
    return [{ version: type === 'cgroup2' ? 2 : 1, controllers: type === 'cgroup2' ? [] : own.names, folder, top: point }]
  })
}

const unescaped = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
