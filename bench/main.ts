import { type Figures, Missing } from './part.ts'
import { benchParts } from './parts.ts'
import { openWorld } from './world.ts'

/** The root of the bench: runs the parts that were named, or all, and prints one JSON object as its last line. */
const main = async (words: readonly string[]): Promise<number> => {
  const names = words.length > 0 ? words : Object.keys(benchParts)
  const unknown = names.filter((name) => !Object.hasOwn(benchParts, name))
  if (unknown.length > 0) {
    if (!unknown.includes('help')) console.error(`bench: there is no part "${unknown.join('", "')}"`)
    for (const [name, part] of Object.entries(benchParts)) console.error(`  ${name.padEnd(10)} ${part.about}`)
    return 2
  }
  const found: Record<string, Figures> = {}
  for (const name of names) {
    const figures = await measure(name)
    if (figures === undefined) return 1
    found[name] = figures
    if (names.length > 1) console.log(JSON.stringify({ name, ...figures }))
  }
  const [only] = names
  const least = Math.min(...Object.values(found).map(({ ratio, must }) => ratio / must))
  console.log(
    JSON.stringify(
      names.length === 1 && only !== undefined
        ? { name: only, ...found[only] }
        : { name: 'all', parts: found, ratio: Math.round(least * 100) / 100 },
    ),
  )
  return 0
}

const measure = async (name: string): Promise<Figures | undefined> => {
  const part = benchParts[name]
  if (!part) return undefined
  console.log(`\n${name}: ${part.about}`)
  const world = openWorld()
  const interrupted = (): void => {
    void world.close().then(() => process.exit(130))
  }
  process.on('SIGINT', interrupted)
  process.on('SIGTERM', interrupted)
  try {
    return await part.run(world)
  } catch (error) {
    if (error instanceof Missing) console.error(`bench ${name}: ${error.message}`)
    else console.error(`bench ${name}:`, error)
    return undefined
  } finally {
    await world.close()
    process.off('SIGINT', interrupted)
    process.off('SIGTERM', interrupted)
  }
}

process.exit(await main(process.argv.slice(2)))
