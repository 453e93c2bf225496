import type { Command } from 'commander'

/** Is given the exit status that a verb comes to. */
export type Act = (code: Promise<number>) => Promise<void>

/** Adds a verb with the flags that every verb takes. */
export type Verb = (parent: Command, usage: string, about: string) => Command
