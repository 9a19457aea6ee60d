/**
 * Policies in, Terraform JSON out: `<outDir>/stacks/<name>/cdk.tf.json`, without the CDKTF CLI, without
 * network, byte for byte the same for the same policies. The last step holds the result against the
 * provider's schema, so that what was written is known to be well-formed.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LeftOut } from "../src/alert/outlet/left-out.js";
import { fault } from "../src/base/fault.js";
import { isJsonObject, type JsonObject } from "../src/base/json.js";
import type { PolicySet } from "../src/policy/policy.js";
import { STACK_ORDER, type StackPart } from "../src/policy/stack-order.js";
import { checkStacks } from "./cross-stack.js";
import { checkLimits } from "./limits.js";
import { buildApp } from "./main.js";
import { stackName } from "./names.js";
import { awsSchema } from "./provider-schema.js";
import { checkReferences } from "./references.js";
import { checkSchema, elementsOf, type StackFinding } from "./schema-check.js";

export interface SynthOptions {
  readonly policy: PolicySet;
  /** Made when absent; `cdktf.out` by custom. */
  readonly outDir: string;
}

export interface SynthesizedStack {
  readonly part: StackPart;
  readonly name: string;
  /** The written file. */
  readonly file: string;
  readonly resourceCount: number;
  /** Names of what it tells the stacks after it. */
  readonly outputs: readonly string[];
}

export interface Synthesis {
  /** In the order in which they are planned and applied. */
  readonly stacks: readonly SynthesizedStack[];
  /** Alert levels that CloudWatch cannot watch, and why: our own evaluator alone does. */
  readonly leftOut: readonly LeftOut[];
}

/** Throws `STACK_INVALID` (data) with every finding, one a line, when the output breaks schema or limits. */
export async function synthesize({ policy, outDir }: SynthOptions): Promise<Synthesis> {
  await mkdir(outDir, { recursive: true });
  await removeStacks(policy, outDir);
  const { app, leftOut } = buildApp(policy, outDir);
  app.synth();
  const written = await readStacks(policy, outDir);
  refuseFindings(written);
  const stacks = written.map(({ part, name, file, document }) => ({
    part,
    name,
    file,
    resourceCount: elementsOf(document, "resource").length,
    outputs: Object.keys(isJsonObject(document.output) ? document.output : {}),
  }));
  return { stacks, leftOut };
}

function refuseFindings(written: readonly WrittenStack[]): void {
  const documents = Object.fromEntries(written.map(({ part, document }) => [part, document]));
  const findings = [
    ...written.flatMap(({ name, document }) =>
      checkStack(document).map(({ at, message }) => `${name}: ${at}: ${message}`),
    ),
    ...checkStacks(documents).map(({ at, message }) => `${at}: ${message}`),
  ];
  if (findings.length === 0) return;
  throw fault.data("STACK_INVALID", `the synthesized stacks are invalid:\n${findings.join("\n")}`, {
    hint: "correct the policy or the stack that these lines name; nothing was sent anywhere",
  });
}

/** Everything that can be known about a stack without Terraform and without AWS. */
export function checkStack(document: JsonObject): StackFinding[] {
  return [
    ...checkSchema(document, awsSchema),
    ...checkReferences(document, awsSchema),
    ...checkLimits(document),
  ];
}

/**
 * A stack that is no longer made must not lie about to be applied. Only the file that is applied goes:
 * lock files and downloaded providers beside it stay, and so do other environments.
 */
async function removeStacks(policy: PolicySet, outDir: string): Promise<void> {
  for (const name of await stackFolders(policy, outDir))
    await rm(stackFile(outDir, name), { force: true });
}

interface WrittenStack {
  readonly part: StackPart;
  readonly name: string;
  readonly file: string;
  readonly document: JsonObject;
}

async function readStacks(policy: PolicySet, outDir: string): Promise<WrittenStack[]> {
  const stacks: WrittenStack[] = [];
  for (const part of STACK_ORDER) {
    const name = stackName(policy, part);
    const file = stackFile(outDir, name);
    const text = await readFile(file, "utf8").catch(absent);
    if (text !== null) stacks.push({ part, name, file, document: JSON.parse(text) });
  }
  return stacks;
}

async function stackFolders(policy: PolicySet, outDir: string): Promise<string[]> {
  const folders = await readdir(join(outDir, "stacks")).catch(absent);
  const begin = stackName(policy, "");
  return (folders ?? [])
    .filter((name) => name.startsWith(begin) && !isOfLongerName(name.slice(begin.length)))
    .sort();
}

/** `eu-network`, behind `algobrain-production-`, is the network of an environment `production-eu`. */
function isOfLongerName(rest: string): boolean {
  return STACK_ORDER.some((part) => rest.endsWith(`-${part}`));
}

function stackFile(outDir: string, name: string): string {
  return join(outDir, "stacks", name, "cdk.tf.json");
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code !== "ENOENT") throw error;
  return null;
}
