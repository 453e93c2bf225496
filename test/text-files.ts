import type { Plugin } from 'vitest/config'

/** Lets tests import `.sql` and `.sh` files as text, as the build does. */
export const textFiles = (): Plugin => ({
  name: 'skein-text-files',
  enforce: 'pre',
  transform: (code, id) => (/\.(sql|sh)$/.test(id) ? { code: `export default ${JSON.stringify(code)}`, map: null } : undefined),
})
