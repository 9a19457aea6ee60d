/** Our reading of the schemas beside ajv's: of every tree both find the same, word by word and place by place. */
import fc from "fast-check";
import type { TSchema } from "typebox";
import { describe, expect, it, test } from "vitest";
import { compileSchema, type SchemaFinding } from "../../src/base/schema.js";
import { loadRawSet } from "../../src/policy/bundle.js";
import { findMisfits, type Misfit, type Schema } from "../../src/policy/check/fit.js";
import { ENVIRONMENT_SCHEMA, OVERLAY_SCHEMA } from "../../src/policy/json-schema.js";
import { SECTION_SCHEMAS } from "../../src/policy/schema.js";
import type { Node, Scalar } from "../../src/policy/tree.js";
import { SHIPPED } from "./shipped.js";

/** Each node stands at its JSON pointer, so that both sides name a place alike. */
function toNode(value: unknown, pointer = ""): Node {
  const place = { file: pointer, line: 1, column: 1 };
  if (Array.isArray(value))
    return {
      kind: "list",
      place,
      items: value.map((item, at) => toNode(item, `${pointer}/${at}`)),
    };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([name, inner]) => {
      const node = toNode(inner, `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
      return [name, { key: node.place, node }] as const;
    });
    return { kind: "map", place, entries: new Map(entries) };
  }
  const scalar = value as Scalar;
  return {
    ...{ kind: "scalar", place, value: scalar, text: String(scalar) },
    ...{ quoted: false, refused: false },
  };
}

function ours(schema: object, value: unknown): string[] {
  const misfits = findMisfits(toNode(value), schema as Schema, Number.POSITIVE_INFINITY);
  return misfits.map((misfit) => `${misfit.node.place.file}: ${misfit.word} ${aboutOf(misfit)}`);
}

function aboutOf(misfit: Misfit): string {
  if ("name" in misfit) return misfit.name;
  return "twins" in misfit ? String(misfit.twins) : JSON.stringify(misfit.schema[misfit.word]);
}

const compiled = new Map<object, (value: unknown) => SchemaFinding[]>();

function theirs(schema: object, value: unknown): string[] {
  const check = compiled.get(schema) ?? compileSchema(schema as TSchema).check;
  compiled.set(schema, check);
  return check(value).map(({ pointer, keyword, params }) => {
    const { limit, i, j, missingProperty, additionalProperty } = params;
    const { type, pattern, allowedValues } = params;
    const twins =
      i === undefined ? undefined : String([i, j].sort((a, b) => Number(a) - Number(b)));
    const told = missingProperty ?? additionalProperty ?? twins;
    return `${pointer}: ${keyword} ${told ?? JSON.stringify(limit ?? type ?? pattern ?? allowedValues)}`;
  });
}

function expectSame(schema: object, value: unknown): void {
  expect(ours(schema, value).sort(), JSON.stringify(value)).toEqual(theirs(schema, value).sort());
}

describe("one word of a schema", () => {
  const VALUES: readonly unknown[] = [
    ...[null, true, false, 0, 1, 2, 3, -1, 1.5, 1e300],
    ...["", "a", "ab", "abc", "A", "1", "💥", "💥💥", "true"],
    ...[[], [1], ["a", "b"], ["a", "a"], ["a", "b", "b", "c"], [1, 1], [{ x: 1 }, { x: 1 }]],
    ...[{}, { a: 1 }, { a: "x" }, { b: 1, a: null }, { constructor: 1 }, { "a/b~c": 1 }],
  ];

  const SCHEMAS: readonly Schema[] = [
    ...["object", "array", "string", "number", "integer", "boolean"].map((type) => ({ type })),
    { type: ["boolean", "number"] },
    { enum: ["a", 1, true, null] },
    { pattern: "^[a-c]$" },
    { pattern: "^.$" },
    ...[{ minLength: 2 }, { maxLength: 1 }],
    ...[{ minimum: 1 }, { maximum: 1 }, { exclusiveMinimum: 1 }],
    ...[{ minItems: 1 }, { items: { type: "string" } }],
    { uniqueItems: true },
    { uniqueItems: true, items: { type: "string" } },
    { uniqueItems: true, items: { type: ["object", "string"] } },
    ...[{ minProperties: 1 }, { maxProperties: 1 }, { required: ["a", "b"] }],
    { properties: { a: { type: "string" } }, additionalProperties: false },
    { properties: {}, additionalProperties: false },
    { patternProperties: { "^a": { type: "number" } }, additionalProperties: false },
    { properties: { a: { type: "string" } } },
  ];

  it.each(SCHEMAS)("%j says the same to both", (schema) => {
    for (const value of VALUES) expectSame(schema, value);
  });

  test("that is not known is refused, and no schema of the policies has one", () => {
    expect(() => ours({ format: "email" }, "x")).toThrow('the unknown word "format"');
    const all = [...Object.values(SECTION_SCHEMAS), ENVIRONMENT_SCHEMA, OVERLAY_SCHEMA];
    for (const schema of all.flatMap((one) => withInner(one as Schema)))
      expect(ours(schema, null)).toEqual(theirs(schema, null));
  });
});

test("a number that is too large for JSON to be read back is none, though ajv takes it", () => {
  for (const type of ["number", "integer"])
    expect(ours({ type }, JSON.parse("1e400"))).toEqual([`: type "${type}"`]);
});

function withInner(schema: Schema): Schema[] {
  const { properties = {}, patternProperties = {}, items } = schema;
  const inner = [...Object.values(properties), ...Object.values(patternProperties)];
  return [schema, ...[...inner, ...(items ? [items] : [])].flatMap(withInner)];
}

/** What people write in the wrong place. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    0.5,
    1e9,
    "",
    "5m",
    "5 minutes",
    "ops",
    "Ops",
    "nobody",
  ),
  fc.constantFrom<unknown>([], [1, 1], ["ops", "ops"], [{}], {}, { ops: 1 }, { "Ops!": {} }),
  fc.string({ unit: "binary", maxLength: 5 }),
);

/** Steps down into the value, each a share of what is there, and what happens at the end. */
const mutation = fc.record({
  steps: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 6 }),
  how: fc.constantFrom("replace", "add", "remove", "repeat"),
  name: fc.constantFrom("value", "x", "Name!", "constructor", "for"),
  odd,
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(value: unknown, { steps, ...last }: Mutation): unknown {
  const [step, ...rest] = steps;
  if (typeof value !== "object" || value === null) return last.odd;
  const keys = Object.keys(value);
  const key = keys[Math.floor((step ?? 0) * keys.length)];
  const copy = structuredClone(value) as Record<string, unknown>;
  if (key !== undefined && rest.length > 0) copy[key] = mutate(copy[key], { ...last, steps: rest });
  else if (Array.isArray(copy)) copy.push(last.how === "repeat" ? copy[0] : last.odd);
  else if (last.how === "remove" && key !== undefined) delete copy[key];
  else copy[last.how === "replace" && key !== undefined ? key : last.name] = last.odd;
  return copy;
}

describe("whole policies", () => {
  const loaded = loadRawSet(SHIPPED, "local");
  if (!loaded.ok) throw new Error("the shipped policies have problems");
  const { raw } = loaded.value;
  const { alerts, workers, healing, routes, scaling, flags = {} } = raw;
  const CASES: readonly (readonly [string, object, unknown])[] = [
    ...Object.entries(SECTION_SCHEMAS).map(
      ([name, schema]) => [name, schema, raw[name as keyof typeof raw] ?? {}] as const,
    ),
    ["environment", ENVIRONMENT_SCHEMA, { alerts, workers, healing, routes, scaling, flags }],
    ["overlay", OVERLAY_SCHEMA, { alerts, routes }],
  ];

  it.each(CASES)("%s, as shipped and mutated", (_name, schema, value) => {
    expect(ours(schema, value)).toEqual([]);
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        expectSame(schema, mutations.reduce(mutate, value));
      }),
      { numRuns: 100 },
    );
  });
});
