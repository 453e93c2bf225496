/** An element, as a text. */
export const markup = '<script>globalThis.ran=1</script>'
/** What would do harm where text becomes more than text. */
export const evil = [
  markup,
  '<img src=x onerror=globalThis.ran=1>',
  `"><svg onload=globalThis.ran=1>'`,
  'javascript:globalThis.ran=1',
  '<a href="javascript:globalThis.ran=1">here</a>',
  '{{constructor.constructor("globalThis.ran=1")()}}',
  '\u001b[31mred\u001b[0m\u001b]8;;javascript:globalThis.ran=1\u0007link\u001b]8;;\u0007\u001b]0;title\u0007\u009b31m',
  'nul\u0000bell\u0007back\b\u007f\u0085',
  '\u202egnp.exe\u202c \u2066isolated \u200f\u061c\u2029\u2028',
  'tags\u{e0041}\u{e0042} soft\u00adhyphen zero\u200bwidth \ufeff',
  'half \ud83d of a pair \udc4d',
].join(' ')
/** A word that no line has room for. */
export const long = 'W'.repeat(10_000)
export const wild = `${evil} ${long}`

/** Figures that no machine has. */
export const oddMetrics = {
  ...{ cpu_percent: 1e300, memory_used_mb: 1e300, memory_total_mb: 1, disk_used_mb: -5, disk_total_mb: 1 },
  ...{ load: [1e300, -1], temperature_celsius: 1e300, uptime_seconds: 1e300, clock_offset_ms: -1e300 },
}

/** A workload of which a device says all that it can think of. */
export const oddWorkload = (instant: string) => ({
  ...{ type: markup, run_mode: 'forever', version: wild, tags: [evil, wild], origin: wild, state: 'failed', reason: wild },
  ...{ health: null, pid: null, run_id: null, run_count: 1e9, failures: 1e6, last_exit_code: -1e15, last_error: wild },
  ...{ last_started_at: instant, last_ended_at: '9999-12-31T23:59:59Z', next_at: instant, memory_mb: 1e9, digest: wild },
})

/** Looks through the whole page: what has run, what has become of a text that is no text, and characters that must not be there as they are. */
export const harm = `(() => {
  const found = []
  if (globalThis.ran !== undefined) found.push('something has run')
  for (const element of document.querySelectorAll('*')) {
    const name = element.localName
    if (name === 'script' && !element.src.startsWith(location.origin + '/assets/')) found.push('a script')
    if (['iframe', 'object', 'embed', 'base', 'b', 'marquee'].includes(name)) found.push('an element ' + name)
    if (name === 'img' && !/\\/assets\\/|^data:image\\/svg/.test(element.src)) found.push('an image ' + element.src)
    if (name === 'a' && element.href && !element.href.startsWith(location.origin + '/')) found.push('a link to ' + element.href)
    for (const { name: attribute, value } of element.attributes) {
      if (attribute.startsWith('on')) found.push('an attribute ' + attribute)
      if (unseen.test(value)) found.push('in ' + name + '[' + attribute + ']: ' + escape(value.slice(0, 80)))
    }
  }
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode
    if (unseen.test(data)) found.push('in ' + parentElement.outerHTML.slice(0, 60) + ': ' + escape(data.slice(0, 80)))
  }
  return found
  // As in format/plain-text.ts, but for newlines and tabs, which are where texts of several lines are.
})()`.replaceAll(
  'unseen',
  String.raw`/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]|\p{Cs}/u`,
)
