/**
 * How a part tells whoever keeps it running, systemd or `skein up`, what is to follow its end. With any other code, 0 too, it is
 * started again: who is told to end by a signal does not know whether for good.
 */
export const exits = {
  /** It left alone what it runs, and wants to be started again at once: maybe from a newer build. (EX_TEMPFAIL of sysexits.h) */
  replaceMe: 75,
  /** Somebody has asked it to end for good. (The first number that sysexits.h leaves free) */
  endedOnRequest: 79,
} as const
