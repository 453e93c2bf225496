/** A release as people write it. */
export const refOf = ({ name, version }: { name: string; version: string }): string => `${name}@${version}`
