/**
 * A change that somebody asked for through API, chat or command line, as a pull request makes it: which lines are
 * edited, what that means, and how it is told. Nothing of it touches what is in force.
 */
import { createHash } from "node:crypto";
import { canonicalJson } from "../base/json.js";
import type { Problem } from "../base/problem.js";
import { checkPolicies, loadRawSet } from "../policy/bundle.js";
import type { Change } from "../policy/change.js";
import { diffPolicies } from "../policy/diff.js";
import { type Edited, editPolicy } from "../policy/edit.js";
import { roleOf } from "../policy/files.js";
import { type PolicyPath, printPolicyPath } from "../policy/path.js";
import type { PolicySet } from "../policy/policy.js";
import type { Scalar } from "../policy/tree.js";
import type { PullRequestRef, RepositoryFile } from "./port.js";

export interface WantedChange {
  readonly path: PolicyPath;
  readonly value: Scalar;
}

export interface ChangeRequest {
  readonly changes: readonly WantedChange[];
  /** `local` means the common files. */
  readonly environment: string;
  readonly reason: string;
  /** `api:ann`, `cli:ann`. */
  readonly by: string;
  /** Asked for by a look at drift: a pull request of its own, never that of people who want the same. */
  readonly isForDrift?: boolean;
}

/** Nothing is opened for what the checks refuse, or for what means the same as before. */
type NotPlanned =
  | { readonly outcome: "nothing-to-change" }
  | { readonly outcome: "invalid"; readonly problems: readonly Problem[] };

export type ChangeOutcome =
  | NotPlanned
  | {
      readonly outcome: "opened" | "already-open";
      readonly pullRequest: PullRequestRef;
      readonly changes: readonly Change[];
      readonly edited: readonly Edited[];
    };

/** Asking twice gives the same pull request, also when the first time ended half-way. Throws a Fault when the host does not answer. */
export type ProposeChange = (request: ChangeRequest, signal: AbortSignal) => Promise<ChangeOutcome>;

export interface ChangePlan {
  /** 12 hex digits: the same for the same wish about the same text. */
  readonly key: string;
  readonly edited: readonly Edited[];
  /** Whole, as they are to be. */
  readonly files: readonly Pick<RepositoryFile, "path" | "text">[];
  /** In the environment that was asked for. */
  readonly changes: readonly Change[];
  /** Where the same lines mean something too. */
  readonly elsewhere: readonly string[];
  readonly before: PolicySet;
  readonly after: PolicySet;
}

export type Planned = NotPlanned | { readonly outcome: "planned"; readonly plan: ChangePlan };

/** @param files every policy file of one commit */
export function planChange(files: readonly RepositoryFile[], request: ChangeRequest): Planned {
  const { environment } = request;
  const before = loadRawSet(files, environment);
  if (!before.ok) return { outcome: "invalid", problems: before.problems };
  const made = makeEdits(files, request);
  if ("problem" in made) return { outcome: "invalid", problems: [made.problem] };
  const problems = checkPolicies(made.files);
  const after = loadRawSet(made.files, environment);
  if (problems.length > 0 || !after.ok) {
    return { outcome: "invalid", problems: after.ok ? problems : after.problems };
  }
  const sets = { before: before.value.set, after: after.value.set };
  const changes = diffPolicies(sets.before, sets.after);
  if (changes.length === 0) return { outcome: "nothing-to-change" };
  const touched = files.filter(({ path, text }) => textOf(made.files, path) !== text);
  const plan: ChangePlan = {
    ...sets,
    key: changeKey(touched, request),
    edited: made.edited.filter((edited) => edited.before !== edited.after),
    files: touched.map(({ path }) => ({ path, text: textOf(made.files, path) })),
    changes,
    elsewhere: otherEnvironments(files, made.files, environment),
  };
  return { outcome: "planned", plan };
}

type TextFile = Pick<RepositoryFile, "path" | "text">;

/** One after the other, each on what the ones before have made. */
function makeEdits(
  files: readonly TextFile[],
  { changes, environment }: ChangeRequest,
): { files: readonly TextFile[]; edited: Edited[] } | { problem: Problem } {
  const edited: Edited[] = [];
  let now = files;
  for (const { path, value } of changes) {
    const made = editPolicy(now, { path, environment }, value);
    if (!made.ok) return { problem: made.problem };
    const { file } = made.value;
    edited.push(made.value);
    now = now.map((one) => (one.path === file.path ? file : one));
  }
  return { files: now, edited };
}

function textOf(files: readonly TextFile[], path: string): string {
  return files.find((file) => file.path === path)?.text ?? "";
}

/**
 * By the names of the contents that are edited, not by the commit: what others change elsewhere leaves it the same,
 * and once the file has moved on the same words are a new question.
 */
function changeKey(touched: readonly RepositoryFile[], request: ChangeRequest): string {
  const identity = {
    environment: request.environment,
    changes: request.changes.map(({ path, value }) => [printPolicyPath(path), value]),
    files: touched.map(({ path, sha }) => [path, sha]),
    ...(request.isForDrift === true ? { for: "drift" } : {}),
  };
  return createHash("sha256").update(canonicalJson(identity)).digest("hex").slice(0, KEY_LENGTH);
}

const KEY_LENGTH = 12;

/** A common file speaks for all of them that do not say otherwise. */
function otherEnvironments(
  before: readonly TextFile[],
  after: readonly TextFile[],
  environment: string,
): string[] {
  const overlays = before.flatMap(({ path }) => {
    const role = roleOf(path);
    return role.kind === "overlay" ? [role.environment] : [];
  });
  return ["local", ...overlays]
    .filter((name) => name !== environment)
    .filter((name) => {
      const [old, fresh] = [loadRawSet(before, name), loadRawSet(after, name)];
      return old.ok && fresh.ok && diffPolicies(old.value.set, fresh.value.set).length > 0;
    });
}
