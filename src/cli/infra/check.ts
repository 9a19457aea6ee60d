/**
 * `infra check`: whether stacks that a branch has synthesized may be planned with credentials. Nothing but `cdk.tf.json` may
 * lie in their folders: Terraform reads every `*.tf` beside it.
 */
import type { Dirent } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { errorMessage, fault } from "../../base/fault.js";
import { findRepeatedKey } from "../../base/repeated-key.js";
import type { PolicySet } from "../../policy/policy.js";
import { plainLine } from "../../review/safe-markdown.js";
import { loadDirectory, readPolicyDirectory } from "../../runtime/policy-source.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { environmentsIn } from "../policy/environments.js";

const STACKS_MAX = 100;
const BYTES_MAX = 8 * 1_048_576;
const FINDINGS_MAX = 100;
const STACK_FILE = /^(?:stacks\/)?([a-z][a-z0-9-]{0,80})\/cdk\.tf\.json$/;
/** What the synthesis writes beside them, and nobody reads. */
const OTHER_FILES = ["manifest.json"];

interface Finding {
  readonly at: string;
  readonly message: string;
}

interface Stack {
  readonly name: string;
  readonly document: unknown;
}

export async function runCheck(args: readonly string[], io: CommandIo): Promise<number> {
  const options = { policies: { type: "string", default: "policies" } } as const;
  const { values, operands } = parseCommandLine(args, options, ["DIR"]);
  const policies = await readPolicies(values.policies, io);
  const folder = resolve(io.cwd, operands[0]);
  const { paths, findings } = await listFiles(folder);
  const stacks: Stack[] = [];
  for (const [path, name] of paths) {
    const read = await readStack(join(folder, path), name);
    if ("message" in read) findings.push(read);
    else stacks.push(read);
  }
  const { checkForeign } = await loadCheck();
  findings.push(...checkForeign(stacks, policies));
  return tell(stacks, findings, io);
}

/** Those of the branch that is merged into: a pull request does not say itself what its ground is. */
async function readPolicies(directory: string, io: CommandIo): Promise<PolicySet[]> {
  const read = await readPolicyDirectory(directory, io);
  return environmentsIn(read.files).map((environment) => {
    const checked = loadDirectory(read, environment);
    if (checked.ok) return checked.value;
    throw fault.data("POLICY_INVALID", `the policies of ${environment} have problems`, {
      hint: "see them with: algobrain policy check",
    });
  });
}

interface Listed {
  /** Path from the folder, and name of the stack. */
  readonly paths: readonly (readonly [path: string, name: string])[];
  readonly findings: Finding[];
}

async function listFiles(folder: string): Promise<Listed> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      throw fault.refused(
        "STACK_NOT_FOUND",
        `${folder}: no folder of stacks is there (${error.code})`,
        {
          hint: "write one with: algobrain synth --env all",
        },
      );
    },
  );
  const paths: (readonly [string, string])[] = [];
  const findings: Finding[] = [];
  for (const entry of entries.filter((one) => !one.isDirectory())) {
    const path = relative(folder, join(entry.parentPath, entry.name)).replaceAll("\\", "/");
    const name = STACK_FILE.exec(path)?.[1];
    const message = refusalOf(entry, path, name);
    if (message !== null) findings.push({ at: path, message });
    else if (name !== undefined) paths.push([path, name]);
  }
  if (paths.length === 0)
    findings.push({ at: ".", message: "found no stack, expected one or more" });
  if (paths.length > STACKS_MAX)
    findings.push({
      at: ".",
      message: `found ${paths.length} stacks, expected at most ${STACKS_MAX}`,
    });
  return { paths: paths.slice(0, STACKS_MAX).sort(([a], [b]) => (a < b ? -1 : 1)), findings };
}

function refusalOf(entry: Dirent, path: string, name: string | undefined): string | null {
  if (!entry.isFile()) return "is refused: it is no plain file";
  if (name !== undefined || OTHER_FILES.includes(path)) return null;
  return "is refused: expected <stack>/cdk.tf.json and nothing beside it";
}

async function readStack(path: string, name: string): Promise<Stack | Finding> {
  const { size } = await stat(path);
  if (size > BYTES_MAX)
    return { at: name, message: `has ${size} bytes, expected at most ${BYTES_MAX}` };
  const text = await readFile(path, "utf8");
  try {
    const document: unknown = JSON.parse(text);
    const repeated = findRepeatedKey(text);
    if (repeated === null) return { name, document };
    // Terraform reads both, and we the last.
    return {
      at: name,
      message: `is refused: the key "${repeated.slice(0, 80)}" stands twice in one object`,
    };
  } catch (error) {
    return { at: name, message: `is no JSON: ${errorMessage(error).slice(0, 120)}` };
  }
}

/** What a branch has written stands in it: never a line of its own, which a job would take for a command. */
function tell(stacks: readonly Stack[], findings: readonly Finding[], io: CommandIo): number {
  for (const { at, message } of findings.slice(0, FINDINGS_MAX))
    io.err(plainLine(`${at}: ${message}`));
  const more = findings.length - FINDINGS_MAX;
  if (more > 0) io.err(`and ${more} more findings`);
  if (findings.length > 0) return EXIT_FAILED;
  io.out(`${stacks.length} stacks: nothing is refused`);
  return EXIT_OK;
}

/** What we use of stacks/check-foreign. The compiler must not follow the import: without CDKTF it would not compile. */
interface CheckModule {
  checkForeign(stacks: readonly Stack[], policies: readonly PolicySet[]): readonly Finding[];
}

async function loadCheck(): Promise<CheckModule> {
  try {
    return await import(new URL("../../../stacks/check-foreign.js", import.meta.url).href);
  } catch (error) {
    throw fault.refused(
      "STACKS_NOT_INSTALLED",
      `the checks of stacks are not installed here: ${errorMessage(error)}`,
      { hint: "run `npm ci` without --omit=dev, which also brings CDKTF" },
    );
  }
}
