import { describe, expect, test } from 'vitest'
import { faultOf, withQuery } from '../../dashboard/web/api/ask.ts'
import { areaPath, describeSeries, linePath, niceCeiling } from '../../dashboard/web/charts/scale.ts'
import { bytesText, durationText, mibText, plural } from '../../dashboard/web/format/amounts.ts'
import { orderedLabels } from '../../dashboard/web/format/label-order.ts'
import { plainPieces, plainText } from '../../dashboard/web/format/plain-text.ts'
import { msOf, relativeTime } from '../../dashboard/web/format/relative-time.ts'
import { returnPath } from '../../dashboard/web/format/return-path.ts'
import { lookOf } from '../../dashboard/web/format/states.ts'
import { chooseTokens } from '../../dashboard/web/pages/tokens/choose.ts'
import { faultOfNumber, isLoopback } from '../../dashboard/web/pages/tokens/periods.ts'
import { changedQuery } from '../../dashboard/web/shell/changed-query.ts'
import { createKeySequence } from '../../dashboard/web/shell/key-sequence.ts'

describe('relativeTime()', () => {
  const now = 1_800_000_000_000
  const ago = (seconds: number): string => relativeTime(now - seconds * 1000, now)

  test('says how long ago in a few words', () => {
    expect([0, 4, 7, 59, 60, 119, 3599, 3600, 86_400, 172_800, 1_000_000].map(ago)).toEqual([
      'just now',
      'just now',
      '5 s ago',
      '55 s ago',
      '1 min ago',
      '1 min ago',
      '59 min ago',
      '1 h ago',
      '24 h ago',
      '2 days ago',
      '11 days ago',
    ])
  })

  test('says how far ahead, too', () => {
    expect([ago(-30), ago(-7200)]).toEqual(['in 30 s', 'in 2 h'])
  })

  test('msOf() reads instants of either kind, and nothing else', () => {
    expect([msOf(5), msOf('1970-01-01T00:00:01.000Z')]).toEqual([5, 1000])
    expect(['never', 1e300, null, undefined].map(msOf)).toEqual([null, null, null, null])
  })
})

describe('amounts', () => {
  test('durationText() has two units at most', () => {
    expect([0, 0.31, 2.46, 9.96, 59.4, 60, 185, 3600, 7440, 273_600].map(durationText)).toEqual([
      '0 s',
      '310 ms',
      '2.5 s',
      '10 s',
      '59 s',
      '1 min',
      '3 min 5 s',
      '1 h',
      '2 h 4 min',
      '3 d 4 h',
    ])
  })

  test('bytesText() has a unit that fits', () => {
    expect([0, 999, 1000, 12_345, 999_600, 3_400_000, 5e12].map(bytesText)).toEqual([
      '0 B',
      '999 B',
      '1 kB',
      '12.3 kB',
      '1 MB',
      '3.4 MB',
      '5 TB',
    ])
  })

  test('mibText() takes what is told in MiB', () => {
    expect([0, 1, 512, 8192].map(mibText)).toEqual(['0 B', '1 MB', '537 MB', '8.6 GB'])
  })

  test('plural() goes by the number', () => {
    expect([plural(1, 'device'), plural(0, 'device'), plural(5000, 'run was', 'runs were')]).toEqual([
      '1 device',
      '0 devices',
      '5,000 runs were',
    ])
  })
})

describe('plainText()', () => {
  test('shows what would not be seen, or would move what is around it', () => {
    expect(plainText('a\u001b[31mb\u0000\u007f\u0085')).toBe('a␛[31mb␀␡⟨U+0085⟩')
    expect(plainText('evil\u202egnp.exe\u2066x\u200f')).toBe('evil⟨U+202E⟩gnp.exe⟨U+2066⟩x⟨U+200F⟩')
    expect(plainText('a\u200bb\ufeff\u{e0041}\ud800')).toBe('a⟨U+200B⟩b⟨U+FEFF⟩⟨U+E0041⟩⟨U+D800⟩')
  })

  test('leaves every other text as it is', () => {
    for (const text of ['<script>alert(1)</script>', 'żółć 日本語 العربية', '👩‍💻', 'a b\u00a0c'])
      expect(plainText(text)).toBe(text)
  })

  test('keeps newlines and tabs where there are lines', () => {
    expect(plainPieces('a\n\tb\r', { lines: true })).toEqual([
      { kind: 'text', text: 'a\n\tb' },
      { kind: 'mark', text: '␍' },
    ])
    expect(plainText('a\nb')).toBe('a␊b')
  })
})

describe('returnPath()', () => {
  test('goes nowhere else, and not to the login again', () => {
    expect(
      [
        '/fleet/pi?log=a#L7',
        '//evil.example',
        '/\\evil.example',
        'https://evil.example',
        '/login?to=/x',
        '/login',
        undefined,
        '',
      ].map(returnPath),
    ).toEqual(['/fleet/pi?log=a#L7', '/', '/', '/', '/', '/', '/', '/'])
  })
})

describe('addresses', () => {
  test('changedQuery() adds, replaces and takes out', () => {
    expect(changedQuery('/fleet', { q: 'a', state: 'online' }, { q: null, sort: 'cpu', dir: undefined })).toBe(
      '/fleet?state=online&sort=cpu',
    )
    expect(changedQuery('/fleet', { q: 'a' }, { q: '' })).toBe('/fleet')
  })

  test('withQuery() leaves out what is not given', () => {
    expect(withQuery('/tasks', { device: 'a b', limit: 10, cursor: undefined, q: '' })).toBe('/tasks?device=a+b&limit=10')
    expect(withQuery('/tasks', {})).toBe('/tasks')
  })
})

describe('createKeySequence()', () => {
  const next = () => createKeySequence(['g o', 'g f', '/', 'n', '?'])

  test('knows single keys and pairs', () => {
    const key = next()
    expect([key('n', 0), key('g', 10), key('f', 20), key('f', 30)]).toEqual(['n', undefined, 'g f', undefined])
  })

  test('forgets the first key after a while, and lets another key begin anew', () => {
    const key = next()
    expect([key('g', 0), key('o', 5000)]).toEqual([undefined, undefined])
    expect([key('g', 6000), key('g', 6100), key('o', 6200)]).toEqual([undefined, undefined, 'g o'])
    expect([key('g', 7000), key('n', 7100)]).toEqual([undefined, 'n'])
  })
})

describe('faultOf()', () => {
  const error = {
    code: 'invalid',
    message: 'no',
    retryable: false,
    details: [{ field: 'set.-bad', code: 'x', message: 'is 1 to 63 of letters' }],
  }

  test('finds the fault of a field, or of one below it', () => {
    expect([faultOf(error, 'set'), faultOf(error, 'se'), faultOf(null, 'set')]).toEqual([
      'is 1 to 63 of letters',
      undefined,
      undefined,
    ])
  })
})

describe('charts', () => {
  const field = { width: 100, height: 10, top: 100 }

  test('linePath() breaks where nothing is known, and makes a dot of a number alone', () => {
    expect(linePath([0, 100, null, 50, null], field)).toBe('M0 10L25 0M75 5h0')
    expect(linePath([], field)).toBe('')
  })

  test('areaPath() closes each piece', () => {
    expect(areaPath([0, 100, null, 50, 50], field)).toBe('M0 10L25 0L25 10L0 10ZM75 5L100 5L100 10L75 10Z')
  })

  test('describeSeries() says what is to be seen', () => {
    expect(describeSeries('CPU', [1, 50.04, 3, null], ' %')).toBe('CPU: now 3 %, lowest 1 %, highest 50 %')
    expect(describeSeries('CPU', [null], ' %')).toBe('CPU: nothing is known')
  })

  test('niceCeiling() is a round number above', () => {
    expect([0, 1, 1.2, 7, 11, 35, 101].map(niceCeiling)).toEqual([1, 1, 2, 8, 20, 40, 200])
  })
})

describe('states and labels', () => {
  test('lookOf() has a word for every state, known or not', () => {
    expect([lookOf('timed_out').word, lookOf('toString').tone, lookOf('brand_new')]).toEqual([
      'timed out',
      'off',
      { tone: 'off', icon: 'dot', word: 'brand new' },
    ])
  })

  test('orderedLabels() begins with what people gave, without the sign of draining', () => {
    expect(
      orderedLabels({ os: 'linux', role: 'a', drained: 'true', arch: 'x64', 'agent.goose': '1', area: 'b' }).map(([key]) => key),
    ).toEqual(['area', 'role', 'agent.goose', 'arch', 'os'])
  })
})

describe('tokens', () => {
  const token = (name: string, role: string) => ({
    id: name,
    name,
    role,
    state: 'valid' as const,
    created_at: '2026-01-01T00:00:00.000Z',
    expires_at: '2026-01-01T00:00:00.000Z',
    revoked_at: null,
    last_used_at: null,
  })

  test('chooseTokens() goes by whom they are for, and by name', () => {
    const all = [token('anna', 'operator'), token('pi-1', 'device'), token('join-1', 'join')]
    expect(chooseTokens(all, 'people', '').map(({ name }) => name)).toEqual(['anna'])
    expect(chooseTokens(all, 'all', ' 1 ').map(({ name }) => name)).toEqual(['pi-1', 'join-1'])
  })

  test('faultOfNumber() says what is wrong in the units in which it was typed', () => {
    const faults = ['90', ' 0,5 ', '', 'ten', '0', '4000', '1.5'].map((typed) =>
      faultOfNumber(typed, { most: 3650, whole: typed === '1.5' }),
    )
    expect(faults).toEqual([
      undefined,
      undefined,
      'has to be a number above 0',
      'has to be a number above 0',
      'has to be a number above 0',
      'is at most 3,650',
      'has to be a whole number',
    ])
  })

  test('isLoopback() knows the addresses of this machine', () => {
    const urls = [
      'mqtt://127.0.0.1:1883',
      'mqtts://localhost',
      'mqtt://[::1]:1883',
      'mqtt://10.0.0.1:1883',
      'mqtts://localhost.example',
    ]
    expect(urls.map(isLoopback)).toEqual([true, true, true, false, false])
  })
})
