/** `policy bundle`: the policies of one environment as one object, not yet signed. */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fault } from "../../base/fault.js";
import { canonicalJson, isJsonObject } from "../../base/json.js";
import { formatProblem } from "../../base/problem.js";
import { runbookHashes } from "../../main/runbooks.js";
import { bundleDigest, makeBundle } from "../../policy/envelope.js";
import type { PolicyBundle } from "../../policy/envelope-types.js";
import type { PolicySet } from "../../policy/policy.js";
import { requiresOf } from "../../policy/requires.js";
import { loadDirectoryRaw, readPolicyDirectory } from "../../runtime/policy-source.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";

/** Of both commands that make a bundle. */
export const BUNDLE_OPTIONS = {
  env: { type: "string", default: "local" },
  dir: { type: "string", default: "policies" },
  previewed: { type: "string" },
  json: { type: "boolean" },
} as const;

export interface BundleRequest {
  readonly env: string;
  readonly dir: string;
  /** File with the rows that the review said would go, by entity. */
  readonly previewed?: string | undefined;
}

export interface MadeBundle {
  readonly bundle: PolicyBundle;
  readonly set: PolicySet;
}

export async function runBundle(args: readonly string[], io: CommandIo): Promise<number> {
  const options = { ...BUNDLE_OPTIONS, out: { type: "string" } } as const;
  const { values } = parseCommandLine(args, options);
  const made = await makeBundleFrom(values, io);
  if (made === null) return EXIT_FAILED;
  const text = canonicalJson(made.bundle);
  const summary = summaryOf(made.bundle, Buffer.byteLength(text));
  if (values.out === "-") {
    io.out(text);
    io.err(summary);
    return EXIT_OK;
  }
  if (values.out !== undefined) await writeFile(resolve(io.cwd, values.out), `${text}\n`);
  io.out(values.json ? JSON.stringify(factsOf(made.bundle)) : summary);
  return EXIT_OK;
}

/** Null when the policies have problems: they have been shown. */
export async function makeBundleFrom(
  request: BundleRequest,
  io: CommandIo,
): Promise<MadeBundle | null> {
  const checked = loadDirectoryRaw(await readPolicyDirectory(request.dir, io), request.env);
  if (!checked.ok) {
    for (const problem of checked.problems) io.err(formatProblem(problem));
    return null;
  }
  const { value } = checked;
  const requires = requiresOf(value.set, await runbookHashes());
  const previewed = await readPreview(request.previewed, io);
  return { bundle: makeBundle(value, requires, previewed), set: value.set };
}

async function readPreview(
  path: string | undefined,
  io: CommandIo,
): Promise<Record<string, number>> {
  if (path === undefined) return {};
  const value = parse(await readFile(resolve(io.cwd, path), "utf8"));
  const isCount = (rows: unknown) => Number.isSafeInteger(rows) && (rows as number) >= 0;
  if (isJsonObject(value) && Object.values(value).every(isCount))
    return value as Record<string, number>;
  throw fault.refused("POLICY_PREVIEW_INVALID", `${path}: found no numbers of rows by entity`, {
    hint: 'write it as {"events": 1200, "jobs": 30}',
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function factsOf(bundle: PolicyBundle) {
  const { system, environment, requires } = bundle;
  return { system, environment, digest: bundleDigest(bundle), requires };
}

function summaryOf(bundle: PolicyBundle, bytes: number): string {
  const { system, environment, digest, requires } = factsOf(bundle);
  const runbooks = Object.keys(requires.runbooks).length;
  const kib = Math.ceil(bytes / 1_024);
  return `${system}/${environment} digest ${digest.slice(0, 12)} schema ${requires.schema}, ${runbooks} runbooks, ${kib} KiB`;
}
