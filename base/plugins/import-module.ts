/**
 * Imports a module that nobody knew of when this was built. A bundle takes bin/import.js in its place (scripts/build.mjs): what V8 runs from
 * compiled code has no way to import.
 */
export const importModule = (address: string): Promise<unknown> => import(/* @vite-ignore */ address)
