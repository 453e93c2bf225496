import { useState } from 'preact/hooks'

/** A choice that this browser remembers: how a list is shown. */
export const useKept = <Value extends string>(
  name: string,
  values: readonly [Value, ...Value[]],
): [Value, (value: Value) => void] => {
  const [value, setValue] = useState<Value>(() => read(name, values))
  const keep = (next: Value): void => {
    setValue(next)
    try {
      localStorage.setItem(`skein-${name}`, next)
    } catch {
      // A browser that keeps nothing: it holds as long as the page.
    }
  }
  return [value, keep]
}

const read = <Value extends string>(name: string, values: readonly [Value, ...Value[]]): Value => {
  try {
    const kept = localStorage.getItem(`skein-${name}`)
    return values.find((value) => value === kept) ?? values[0]
  } catch {
    return values[0] // a browser that keeps nothing
  }
}
