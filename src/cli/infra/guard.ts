/**
 * `infra guard`: the last look before `terraform apply plan.bin`. It applies nothing; Terraform's own refusal of a stale
 * plan is the second wall behind it.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../base/clock.js";
import { fault } from "../../base/fault.js";
import type { PolicySet } from "../../policy/policy.js";
import type { PlanDocument } from "../../review/infra/plan-document.js";
import { checkSeal, readSeal, type Seal, type SealPurpose } from "../../review/infra/seal.js";
import type { Verdict } from "../../review/infra/verdict.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { verdictOf } from "./review.js";
import { type FolderWish, lookAtFolder, SEAL_FILE, SEAL_OPTIONS } from "./sealed-folder.js";

const AGAIN = "plan again: what was reviewed is not what would be applied";

export interface Guarded {
  readonly folder: string;
  readonly seal: Seal;
  readonly plan: PlanDocument;
  /** Sentences for people; none: it may be applied now. */
  readonly refusals: readonly string[];
}

export async function runGuard(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, SEAL_OPTIONS);
  const guarded = await guardStack(values, io);
  if (guarded === null) return EXIT_FAILED;
  const { seal, refusals } = guarded;
  for (const refusal of refusals) io.err(`${seal.stack}: ${refusal}`);
  if (refusals.length > 0) {
    io.err(`${seal.stack}: refused: ${AGAIN}`);
    return EXIT_FAILED;
  }
  io.out(`${seal.stack}: this is the plan that was sealed at ${seal.madeAt}`);
  return EXIT_OK;
}

/** What a plan is sealed for, and how it is judged for that. */
export interface Judging {
  readonly purpose: SealPurpose;
  readonly judge: (plan: PlanDocument, policy: PolicySet) => Verdict;
}

const FOR_APPLY: Judging = {
  purpose: "apply",
  judge: (plan, policy) => verdictOf(plan, policy, systemClock.now()),
};

/** Null when the policies have problems: they have been shown. Throws where there is no plan or no seal. */
export async function guardStack(
  wish: FolderWish,
  io: CommandIo,
  { purpose, judge }: Judging = FOR_APPLY,
): Promise<Guarded | null> {
  const looked = await lookAtFolder(wish, io);
  if (looked === null) return null;
  const { folder, facts, plan, policy } = looked;
  const seal = await readSealFile(join(folder, SEAL_FILE));
  const differences = checkSeal(seal, facts).map(
    ({ field, found, expected }) => `${field}: found ${found}, and it was sealed to ${expected}`,
  );
  // An exception may have run out since.
  const { state, findings } = judge(plan, policy);
  const stopped = state === "stop" || seal.verdict === "stop";
  const said = findings.map(({ rule, text }) => `${rule}: ${text}`);
  const why = stopped ? ["the budgets of the policies stop it", ...said] : [];
  const other =
    seal.purpose === purpose
      ? []
      : [`purpose: found ${purpose}, and it was sealed for ${seal.purpose}`];
  return { folder, seal, plan, refusals: [...other, ...differences, ...why] };
}

async function readSealFile(path: string): Promise<Seal> {
  const seal = readSeal(parse(await readFile(path, "utf8").catch(() => "null"))); // no file: no seal
  if (seal !== null) return seal;
  throw fault.refused("PLAN_NOT_SEALED", `${path}: no seal of a plan is there`, {
    hint: "seal the plan where it is made: algobrain infra seal",
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Cut short or not ours: in both cases it is no seal.
    return null;
  }
}
