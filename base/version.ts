/** The product's version, put in by the build; a program run from source has none. */
declare const SKEIN_VERSION: string | undefined

export const version: string = typeof SKEIN_VERSION === 'string' ? SKEIN_VERSION : '0.0.0-source'
