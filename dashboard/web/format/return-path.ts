/** Where to go after signing in: a path of this dashboard, never another site, and never the login again. */
export const returnPath = (wanted: string | undefined): string => {
  if (wanted === undefined || !/^\/(?![/\\])/.test(wanted)) return '/'
  return /^\/login(?:[/?#]|$)/.test(wanted) ? '/' : wanted
}
