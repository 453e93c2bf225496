// A log processor that hides what looks like a token or a password: log: { processors: [redact] }
const hidden = '[hidden]'

const redact = (_workload, line) =>
  line
    // token=abc, "password": "abc", api-key: abc
    .replace(/((?:token|secret|passw(?:or)?d|api[_-]?key)["']?\s*[=:]\s*["']?)[^\s"',;&]+/gi, `$1${hidden}`)
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${hidden}`)
    // JSON web tokens, and the keys of well-known services, by how they begin
    .replace(/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, hidden)
    .replace(/\b(?:gh[pousr]_|glpat-|xox[abprs]-|sk-|AKIA)[\w-]{12,}/g, hidden)
    .replace(/(\w+:\/\/[^\s:/@]+:)[^\s@/]+@/g, `$1${hidden}@`)

export const logProcessors = { redact }
