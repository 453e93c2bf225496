import { closeSync } from 'node:fs'

export interface WaySteps {
  /** Opens, or makes, a folder in the one above it. */
  enter: (parent: number, name: string, path: string) => number
  /** All that is to be in it is there; it is closed afterwards. */
  leave?: (folder: number) => Promise<void>
}

/** A way through open folders in the order of a manifest: each is entered from the one above it, once, and left when the way leads elsewhere. */
export const createWay = (root: number, { enter, leave }: WaySteps) => {
  const open: { path: string; folder: number }[] = []

  const goBackTo = async (isOnWay: (path: string) => boolean): Promise<void> => {
    for (let last = open.at(-1); last && !isOnWay(last.path); last = open.at(-1)) {
      await leave?.(last.folder)
      open.pop()
      closeSync(last.folder)
    }
  }

  return {
    /** Goes to the folder in which a path lies. */
    to: async (path: string): Promise<number> => {
      const target = path.slice(0, Math.max(0, path.lastIndexOf('/')))
      if (open.at(-1)?.path !== target) await goBackTo((one) => target === one || target.startsWith(`${one}/`))
      let { path: at, folder } = open.at(-1) ?? { path: '', folder: root }
      for (const name of target.slice(at.length).split('/')) {
        if (name === '') continue
        at = at === '' ? name : `${at}/${name}`
        folder = enter(folder, name, at)
        open.push({ path: at, folder })
      }
      return folder
    },
    /** Leaves all of them. */
    end: (): Promise<void> => goBackTo(() => false),
    /** Closes what is still open; harmless after the end. */
    close: (): void => {
      for (const { folder } of open.splice(0).reverse()) closeSync(folder)
    },
  }
}

/** What a path is called in its folder. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
