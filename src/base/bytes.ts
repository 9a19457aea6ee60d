/** Sizes as people write them, in the binary units of IEC 80000-13: `20GiB`. */

export const BYTES_PATTERN = "^[1-9]\\d{0,4}(?:KiB|MiB|GiB)$";

const UNIT_BYTES = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
type Unit = keyof typeof UNIT_BYTES;

/** `2GiB` → 2147483648; null when it is no such size. */
export function parseBytes(text: string): number | null {
  if (!new RegExp(BYTES_PATTERN).test(text)) return null;
  return Number(text.slice(0, -3)) * UNIT_BYTES[text.slice(-3) as Unit];
}

/** The largest unit that says it exactly, as it is written: 2147483648 → `2GiB`. */
export function writeBytes(bytes: number): string {
  const units: readonly Unit[] = ["GiB", "MiB"];
  const unit = units.find((candidate) => bytes % UNIT_BYTES[candidate] === 0) ?? "KiB";
  return `${bytes / UNIT_BYTES[unit]}${unit}`;
}
