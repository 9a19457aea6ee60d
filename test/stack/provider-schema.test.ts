/** The small schema is what the bindings say, and what the provider itself says where that is known. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import {
  type AttributeSchema,
  awsSchema,
  type BlockSchema,
  type ProviderSchema,
} from "../../stacks/provider-schema.js";
import { checkSchema } from "../../stacks/schema-check.js";
import { makePolicy } from "../support/make-policy.js";
import { synthesized } from "../support/synthesized.js";

/** The provider's own schema as data, when someone has laid it beside the checkout. */
const REFERENCE = new URL("../../../shared/data/aws-provider-schema-6.25.0.json", import.meta.url);

test("the schema is fresh: it covers every type that stacks/ imports", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "scripts/provider-schema.mjs",
    "--check",
  ]);
  expect(stdout).toBe("");
});

test("it stays small: the types in use and no more", () => {
  expect(JSON.stringify(awsSchema).length).toBeLessThan(300_000);
});

test("the id of a resource is the provider's, unless a person sets it", () => {
  for (const [type, { block }] of Object.entries(awsSchema.resource_schemas)) {
    const id = block.attributes?.id;
    if (id !== undefined) expect([type, id.computed]).toEqual([type, true]);
  }
});

test("no attribute is of a type that cannot be planned with", () => {
  expect(JSON.stringify(awsSchema.resource_schemas)).not.toContain('"dynamic"');
});

const reference = existsSync(REFERENCE)
  ? (JSON.parse(readFileSync(REFERENCE, "utf8")) as ProviderSchema)
  : null;

if (reference === null) {
  console.warn(
    "NOT CHECKED: the derived AWS schema against the provider's own; put its JSON at",
    REFERENCE.pathname,
  );
}

describe.runIf(reference !== null)("terraform: against the provider's own schema", () => {
  test("every type known to both says the same of every argument", () => {
    const shared = Object.keys(awsSchema.resource_schemas).filter(
      (type) => type in reference!.resource_schemas,
    );
    expect(shared.length).toBeGreaterThan(10);
    const differences = shared.flatMap((type) =>
      compare(
        awsSchema.resource_schemas[type]!.block,
        reference!.resource_schemas[type]!.block,
        type,
      ),
    );
    expect(differences).toEqual([]);
  });

  test("the synthesized stacks fit it, for the types it knows", async () => {
    const { documents } = await synthesized(makePolicy());
    const findings = Object.values(documents)
      .flatMap((document) => checkSchema(document, reference!))
      .filter(({ message }) => !message.startsWith("the schema has no"));
    expect(findings).toEqual([]);
  });
});

/** One line for each difference that could let a wrong stack pass or a right one fail. */
function compare(ours: BlockSchema, theirs: BlockSchema, at: string): string[] {
  const attributes = Object.entries(theirs.attributes ?? {}).flatMap(([name, their]) => {
    const our = ours.attributes?.[name];
    if (our === undefined) return [`${at}.${name}: not derived`];
    if (access(our) !== access(their))
      return [`${at}.${name}: ${access(our)}, not ${access(their)}`];
    const sameType = JSON.stringify(our.type) === JSON.stringify(their.type);
    return sameType ? [] : [`${at}.${name}: another type`];
  });
  const blocks = Object.entries(theirs.block_types ?? {}).flatMap(([name, their]) => {
    const our = ours.block_types?.[name];
    if (our === undefined) return [`${at}.${name}: not derived`];
    // A least or a most of more than one is in no binding.
    const most = their.max_items === 1 ? our.max_items === 1 : true;
    const least = (our.min_items ?? 0) > 0 === (their.min_items ?? 0) > 0;
    const counts = most && least ? [] : [`${at}.${name}: other counts`];
    return [...counts, ...compare(our.block, their.block, `${at}.${name}`)];
  });
  return [...attributes, ...blocks];
}

/** Without "computed" beside "optional", a plan takes away what AWS filled in, for ever. */
function access({ required, optional, computed }: AttributeSchema): string {
  if (required) return "required";
  if (optional) return computed ? "optional and computed" : "optional";
  return "read-only";
}
