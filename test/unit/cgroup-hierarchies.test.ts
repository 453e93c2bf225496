import { describe, expect, test } from 'vitest'
import { hierarchiesOf } from '../../device/runners/confinement/hierarchies.ts'
import { parsePasswd } from '../../device/runners/confinement/users.ts'

const mount = (root: string, point: string, type: string, options: string): string =>
  `31 23 0:28 ${root} ${point} rw,relatime shared:9 - ${type} ${type} rw,${options}`

describe('hierarchiesOf()', () => {
  test('finds the cgroup of a systemd unit in version 2', () => {
    const found = hierarchiesOf(mount('/', '/sys/fs/cgroup', 'cgroup2', 'nsdelegate'), '0::/system.slice/skein.service\n')
    expect(found).toEqual([
      { version: 2, controllers: [], folder: '/sys/fs/cgroup/system.slice/skein.service', top: '/sys/fs/cgroup' },
    ])
  })

  test('finds the root of a container, and a path that the mount begins within', () => {
    expect(hierarchiesOf(mount('/', '/sys/fs/cgroup', 'cgroup2', 'x'), '0::/\n')[0]).toMatchObject({
      folder: '/sys/fs/cgroup',
      top: '/sys/fs/cgroup',
    })
    const inside = hierarchiesOf(mount('/docker/abc', '/sys/fs/cgroup/pids', 'cgroup', 'pids'), '8:pids:/docker/abc/one\n')
    expect(inside[0]).toMatchObject({ folder: '/sys/fs/cgroup/pids/one', top: '/sys/fs/cgroup/pids' })
    const outside = hierarchiesOf(mount('/docker/abc', '/sys/fs/cgroup/pids', 'cgroup', 'pids'), '8:pids:/other\n')
    expect(outside[0]).toMatchObject({ folder: '/sys/fs/cgroup/pids', top: '/sys/fs/cgroup/pids' })
  })

  test('finds each controller of version 1, two that are mounted together, and version 2 beside them', () => {
    const mounts = [
      mount('/', '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'cpu,cpuacct'),
      mount('/', '/sys/fs/cgroup/a\\040b', 'cgroup', 'memory'),
      mount('/', '/sys/fs/cgroup/unified', 'cgroup2', 'x'),
      mount('/', '/proc', 'proc', 'x'),
    ].join('\n')
    const found = hierarchiesOf(mounts, '5:cpu,cpuacct:/c\n4:memory:/m:n\n1:name=systemd:/\n0::/u\n')
    expect(found.map(({ version, controllers, folder }) => [version, controllers.join(), folder])).toEqual([
      [1, 'cpu,cpuacct', '/sys/fs/cgroup/cpu,cpuacct/c'],
      [1, 'memory', '/sys/fs/cgroup/a b/m:n'],
      [2, '', '/sys/fs/cgroup/unified/u'],
    ])
  })
})

test('parsePasswd() reads a user, and nothing of a line that is none', () => {
  expect(parsePasswd('svc:x:990:980:Service,,,:/srv/svc:')).toEqual({
    name: 'svc',
    uid: 990,
    gid: 980,
    home: '/srv/svc',
    shell: '/bin/sh',
  })
  expect([parsePasswd(''), parsePasswd('+::::::'), parsePasswd('a:x:b:c:::')]).toEqual([undefined, undefined, undefined])
})
