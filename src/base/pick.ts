/** Of an object what is named, and nothing else: the names are a table, so that no member that is new slips in or is forgotten. */
export function pick<T extends object, K extends keyof T>(
  all: T,
  names: Readonly<Record<K, true>>,
): Pick<T, K> {
  const kept = Object.keys(names).map((name) => [name, all[name as K]]);
  return Object.fromEntries(kept) as Pick<T, K>;
}
