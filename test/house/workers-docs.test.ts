/** Each public kind of job has its page in docs/workers, and the page speaks of this code. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PUBLIC_KINDS } from "../../src/job/kinds.js";
import { SYSTEM_KINDS } from "../../src/runtime/handler/system-kinds.js";
import { WORKLOAD_KINDS } from "../../src/workload/payloads.js";
import { ROOT } from "./source-tree.js";

const pageOf = (kind: string) => join(ROOT, "docs", "workers", `${kind}.md`);
const errors = readFileSync(join(ROOT, "docs", "errors.md"), "utf8");
const specs = [...SYSTEM_KINDS, ...WORKLOAD_KINDS];

/** Names of members anywhere in a schema. */
function membersOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  if (Array.isArray(schema)) return schema.flatMap(membersOf);
  const { properties, ...rest } = schema as Record<string, unknown>;
  const own = typeof properties === "object" && properties !== null ? properties : {};
  return [
    ...Object.keys(own),
    ...Object.values(own).flatMap(membersOf),
    ...membersOf(Object.values(rest)),
  ];
}

test("every public kind is specified", () => {
  expect(specs.map(({ kind }) => kind).sort()).toEqual([...PUBLIC_KINDS].sort());
});

describe.each(specs)("docs/workers/$kind.md", ({ kind, payload }) => {
  const text = existsSync(pageOf(kind)) ? readFileSync(pageOf(kind), "utf8") : "";

  test("is there, with what it is asked with and what is expected of it", () => {
    expect(text).toMatch(new RegExp(`^# ${kind}`));
    expect(text).toContain("\n## Payload\n");
    expect(text).toContain("\n## Targets, metrics, runbooks\n");
  });

  test("names every member of its payload", () => {
    const unsaid = membersOf(payload).filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
    expect(unsaid).toEqual([]);
  });

  test("speaks of no fault that docs/errors.md does not know", () => {
    const codes = [...text.matchAll(/`([A-Z][A-Z0-9]+_[A-Z0-9_]+)`/g)].map(([, code]) => code!);
    // Rows such as `*_RATE_LIMITED` speak for every foreign system.
    const known = (code: string) =>
      errors.includes(`\`${code}\``) || errors.includes(`\`${code.replace(/^[A-Z0-9]+/, "*")}\``);
    expect(codes.filter((code) => !known(code) && !isSetting(code))).toEqual([]);
  });
});

/** Variables of the environment are in docs/operating.md. */
function isSetting(name: string): boolean {
  return readFileSync(join(ROOT, "docs", "operating.md"), "utf8").includes(name);
}
