/** Plain data as YAML in blocks. Texts are written as JSON writes them, which every YAML reader reads the same. */

export type YamlValue =
  | string
  | number
  | boolean
  | null
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue | undefined };

/** Ends with a line break. Keys without a value are left out. */
export function yamlText(value: YamlValue): string {
  return `${linesOf(value).join("\n")}\n`;
}

function linesOf(value: YamlValue): string[] {
  if (isList(value)) return value.length === 0 ? ["[]"] : value.flatMap(itemLines);
  if (value === null || typeof value !== "object") return [JSON.stringify(value)];
  const entries = Object.entries(value);
  const lines = entries.flatMap(([key, one]) => (one === undefined ? [] : entryLines(key, one)));
  return lines.length === 0 ? ["{}"] : lines;
}

function itemLines(item: YamlValue): string[] {
  return linesOf(item).map((line, i) => `${i === 0 ? "- " : "  "}${line}`);
}

function entryLines(key: string, value: YamlValue): string[] {
  const name = /^[a-zA-Z_][\w-]*$/.test(key) ? key : JSON.stringify(key);
  const [first, ...rest] = linesOf(value);
  const isBlock = value !== null && typeof value === "object" && !/^(\[\]|\{\})$/.test(first!);
  if (!isBlock) return [`${name}: ${first}`];
  return [`${name}:`, ...[first!, ...rest].map((line) => `  ${line}`)];
}

function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}
