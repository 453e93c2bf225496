/** A release as people write it. */
export const refOf = ({ name, version }: { name: string; version: string }): string => `${name}@${version}`

/** Whether a text, as in an address, may name a release. */
export const isRef = (text: string | undefined): text is string => /^[a-z0-9-]{1,63}@[0-9A-Za-z.+_-]{1,63}$/.test(text ?? '')
