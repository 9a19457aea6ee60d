/** What must hold for every policy, not only for those that we have: printing, comparing and editing lose nothing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/base/problem.js";
import { applyChanges } from "../../src/policy/apply.js";
import { checkPolicies, loadRawSet } from "../../src/policy/bundle.js";
import { diffPolicies } from "../../src/policy/diff.js";
import { editPolicy } from "../../src/policy/edit.js";
import { effectiveValues } from "../../src/policy/origin.js";
import { parsePolicyText } from "../../src/policy/parse.js";
import { type PolicyPath, parsePolicyPath } from "../../src/policy/path.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { printFile, printPolicies } from "../../src/policy/print.js";
import { resolvePolicySet } from "../../src/policy/resolve.js";
import type { RawSet } from "../../src/policy/schema.js";
import type { SourceFile } from "../../src/policy/source.js";
import { type Scalar, toValue } from "../../src/policy/tree.js";
import { arbitraryRawSet, text } from "../support/arbitrary-policy.js";
import { SHIPPED } from "./shipped.js";

const RUNS = { numRuns: 200 };

function load(files: readonly SourceFile[], environment = "local") {
  const checked = loadRawSet(files, environment);
  if (!checked.ok) throw new Error(checked.problems.map(formatProblem).join("\n"));
  return checked.value;
}

const shipped = load(SHIPPED);
const rawSet = arbitraryRawSet(shipped.raw);
/** Most of what is shipped says the same over and over: a part of it is printed and compared. */
const someAlerts = Object.entries(shipped.raw.alerts).slice(0, 4);
const someRawSet = arbitraryRawSet({
  ...shipped.raw,
  alerts: Object.fromEntries(someAlerts),
  metrics: Object.fromEntries(
    Object.entries(shipped.raw.metrics).filter(([name]) =>
      JSON.stringify(someAlerts).includes(name),
    ),
  ),
  catalogue: Object.fromEntries(Object.entries(shipped.raw.catalogue).slice(0, 4)),
});

describe("printing", () => {
  it("is undone by parsing, to the last key and in the same order", () => {
    fc.assert(
      fc.property(someRawSet, (raw) => {
        for (const section of Object.values(raw)) {
          const { root, problems } = parsePolicyText({ path: "x", text: printFile(section) });
          expect(problems).toEqual([]);
          // Not toEqual alone: levels mean something by their order.
          expect(JSON.stringify(root && toValue(root))).toBe(JSON.stringify(section));
        }
      }),
      RUNS,
    );
  });

  it("gives files that are valid and mean the same", () => {
    fc.assert(
      fc.property(rawSet, (raw) => {
        const printed = load(printPolicies(raw, "algobrain"));
        expect(printed.raw).toEqual(raw);
        expect(printed.set).toEqual(resolvePolicySet(raw, "algobrain", "local"));
      }),
      { numRuns: 30 },
    );
  });
});

/** Beyond what files can say: any order of lists, any rule missing. */
const policySet: fc.Arbitrary<PolicySet> = fc
  .tuple(someRawSet, fc.infiniteStream(fc.nat({ max: 99 })))
  .map(([raw, chances]) => {
    const set = resolvePolicySet(raw, "algobrain", "local");
    const next = () => chances.next().value;
    const disturb = <T>(items: readonly T[]) =>
      items.filter(() => next() > 10).sort(() => (next() > 80 ? 1 : next() > 80 ? -1 : 0));
    return {
      ...set,
      alerts: disturb(set.alerts),
      automation: disturb(set.automation),
      access: {
        ...set.access,
        people: disturb(set.access.people),
        rules: disturb(set.access.rules),
      },
    };
  });

/** What a sentence says whose writer forgot a case. */
const FORGOTTEN = /undefined|\[object|NaN/;

describe("comparing", () => {
  it("finds nothing between a policy and itself", () => {
    fc.assert(
      fc.property(policySet, (set) => {
        expect(diffPolicies(set, structuredClone(set))).toEqual([]);
      }),
      RUNS,
    );
  });

  it("says all that it takes to get from one policy to another", () => {
    fc.assert(
      fc.property(policySet, policySet, (before, after) => {
        const changes = diffPolicies(before, after);
        expect(applyChanges(changes, before)).toEqual(after);
        // A person may be called NaN.
        if (FORGOTTEN.test(JSON.stringify([before, after]))) return;
        for (const { words, subject } of changes)
          expect(`${subject} ${words}`).not.toMatch(FORGOTTEN);
      }),
      RUNS,
    );
  });

  it("calls an entry that is only called differently renamed", () => {
    fc.assert(
      fc.property(policySet, fc.infiniteStream(fc.boolean()), (before, chances) => {
        let renamed = 0;
        const rename = <T extends { readonly name: string }>(items: readonly T[]): T[] =>
          items.map((item) => {
            if (!chances.next().value) return item;
            renamed += 1;
            return { ...item, name: `${item.name}-renamed` };
          });
        const after: PolicySet = {
          ...before,
          alerts: rename(before.alerts),
          automation: rename(before.automation),
        };
        const changes = diffPolicies(before, after);
        const renames = changes.filter(({ operation }) => operation.op === "rename");
        expect(renames).toHaveLength(renamed);
        // What is left is the order of the rules, which these sets do not keep by name.
        for (const { operation } of changes) expect(["rename", "order"]).toContain(operation.op);
        expect(applyChanges(changes, before)).toEqual(after);
      }),
      RUNS,
    );
  });

  it("does not touch the policy that it changes", () => {
    fc.assert(
      fc.property(policySet, policySet, (before, after) => {
        const was = structuredClone(before);
        applyChanges(diffPolicies(before, after), before);
        expect(before).toEqual(was);
      }),
      { numRuns: 20 },
    );
  });
});

/** Values that people wrote, by path. */
const written = effectiveValues(shipped, null).filter(
  ({ from, value }) => from !== "default" && (value === null || typeof value !== "object"),
);
/** Mostly of the kind that stands there, so that many are taken; sometimes anything. */
const wish = fc.record({
  number: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(0.5, 0.001, -1, 3000)),
  duration: fc.integer({ min: 1, max: 90 }).map((count) => `${count}m`),
  text,
  wild: fc.oneof(fc.constantFrom(true, false, null, "sev2", "operator", "ops"), text),
  isKind: fc.integer({ min: 0, max: 9 }).map((chance) => chance > 1),
});
type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;

function wishFor(current: unknown, { isKind, wild, ...kinds }: Wish): Scalar {
  if (!isKind) return wild;
  if (typeof current === "number") return kinds.number;
  return /^\d+[a-z]+$/.test(String(current)) ? kinds.duration : kinds.text;
}

/** As editors on other systems save them. */
const dressed = fc.constantFrom(
  ...[
    (text: string) => text,
    (text: string) => text.replaceAll("\n", "\r\n"),
    (text: string) => `\uFEFF${text}`,
    (text: string) => text.trimEnd(),
  ].map((dress) => SHIPPED.map(({ path, text }) => ({ path, text: dress(text) }))),
);

describe("editing", () => {
  it("changes one line and one value, or nothing at all", () => {
    let edits = 0;
    fc.assert(
      fc.property(fc.nat({ max: written.length - 1 }), wish, dressed, (index, wishes, files) => {
        const wanted = wishFor(written[index]!.value, wishes);
        const path = parsePolicyPath(written[index]!.path)!;
        const result = editPolicy(files, { path, environment: "local" }, wanted);
        const expected = withValue(shipped.raw, path, wanted);
        if (!result.ok) {
          expect(checkPolicies(printPolicies(expected, "algobrain"))).not.toEqual([]);
          return;
        }
        edits += 1;
        const { file, line, before, after } = result.value;
        const old = files.find((one) => one.path === file.path)!;
        expectOneLine(old.text, file.text, [line, before, after]);
        const now = files.map((one) => (one.path === file.path ? file : one));
        expect(load(now).raw).toEqual(expected);
      }),
      { numRuns: 100 },
    );
    // A test that refuses everything would prove nothing. About a quarter fits: so few by chance is one in billions.
    expect(edits).toBeGreaterThan(3);
  });
});

function withValue(raw: RawSet, path: PolicyPath, wanted: Scalar): RawSet {
  const copy = structuredClone(raw) as unknown as Record<string, unknown>;
  let at: Record<string, unknown> = copy;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string, unknown>;
  at[path.at(-1)!] = wanted;
  return copy as unknown as RawSet;
}

function expectOneLine(
  old: string,
  now: string,
  [line, before, after]: readonly [number, string, string],
): void {
  const [was, is] = [old, now].map((text) => text.split(/(?<=\n)/));
  expect(is).toHaveLength(was!.length);
  const ending = /\r?\n$/.exec(was![line - 1]!)?.[0] ?? "";
  expect(was![line - 1]).toBe(before + ending);
  expect(is).toEqual(was!.with(line - 1, after + ending));
}
