/** `infra review`: what saved plans change, and whether they may be applied. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { systemClock } from "../../base/clock.js";
import { oneLine } from "../../message/plain.js";
import type { PolicySet } from "../../policy/policy.js";
import { CLASSES, classify } from "../../review/infra/classify.js";
import { judgePlan } from "../../review/infra/judge-plan.js";
import { type ReviewedPlan, writePlanComment } from "../../review/infra/plan-comment.js";
import { existingOf, isQuiet } from "../../review/infra/plan-document.js";
import { idleExceptions } from "../../review/infra/plan-exceptions.js";
import { type Verdict, worstState } from "../../review/infra/verdict.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { askKnown } from "./known.js";
import { POLICY_OPTIONS, policyOf } from "./policy-of.js";
import { RUNTIME_OPTIONS } from "./runtime-at.js";
import { PLAN_OPTIONS, readSavedPlans, type SavedPlan } from "./saved-plans.js";

const OPTIONS = {
  ...POLICY_OPTIONS,
  ...PLAN_OPTIONS,
  ...RUNTIME_OPTIONS,
  markdown: { type: "string" },
  json: { type: "boolean" },
} as const;

/** Exits with 1 when one is stopped; what a person should look at is a line, and 0. */
export async function runReview(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const saved = await readSavedPlans(values, io);
  const policy = await policyOf(values, io);
  if (policy === null) return EXIT_FAILED;
  const now = systemClock.now();
  const reviewed = saved.map((one) => reviewOne(one, policy, now));
  const verdicts = reviewed.map(({ verdict }) => verdict);
  if (values.markdown !== undefined) {
    const { known, unasked } = await askKnown(values, io);
    for (const sentence of unasked) io.err(`known drift is not known: ${oneLine(sentence)}`);
    const at = { environment: policy.environment, now };
    const idle = idleExceptions({ exceptions: policy.exceptions, at }, verdicts);
    const text = writePlanComment(reviewed, known, idle);
    await writeFile(resolve(io.cwd, values.markdown), `${text}\n`);
  }
  if (values.json) io.out(JSON.stringify(reviewed.map(factsOf)));
  else for (const one of reviewed) tell(one, io);
  return worstState(verdicts.map(({ state }) => state)) === "stop" ? EXIT_FAILED : EXIT_OK;
}

function reviewOne({ stack, plan }: SavedPlan, policy: PolicySet, now: Date): ReviewedPlan {
  return { stack, plan, verdict: verdictOf(plan, policy, now) };
}

/** What could not be planned is never applied. */
export function verdictOf(plan: SavedPlan["plan"], policy: PolicySet, now: Date): Verdict {
  if ("error" in plan) {
    const [rule, text] = plan.waits
      ? (["plan-waits", "a stack before it is applied first"] as const)
      : (["plan-failed", "there is no plan to judge"] as const);
    const finding = { rule, text, addresses: [], excepted: null };
    return { state: plan.waits ? "ask" : "stop", findings: [finding] };
  }
  const { environment, exceptions, infrastructure } = policy;
  const at = { environment, now, existing: existingOf(plan) };
  return judgePlan(plan, infrastructure.review.budgets, exceptions, at);
}

/** `classes`: how many of each, worst first. */
function factsOf({ stack, plan, verdict }: ReviewedPlan) {
  if ("error" in plan) return { stack, error: plan.error, verdict };
  const classes = plan.changes
    .filter((change) => !isQuiet(change))
    .map((one) => classify(one).class);
  const counts = CLASSES.map((name) => [name, classes.filter((one) => one === name).length]);
  return { stack, classes: Object.fromEntries(counts.filter(([, count]) => count !== 0)), verdict };
}

function tell({ stack, plan, verdict }: ReviewedPlan, io: CommandIo): void {
  if ("error" in plan) io.err(`${stack}: could not be planned: ${oneLine(plan.error)}`);
  const moving = "error" in plan ? 0 : plan.changes.filter((change) => !isQuiet(change)).length;
  io.out(
    `${stack}: ${verdict.state}, ${moving} ${moving === 1 ? "resource changes" : "resources change"}`,
  );
  for (const { rule, text, excepted } of verdict.findings)
    io.out(`  ${rule}: ${text}${excepted === null ? "" : ` (let through by ${excepted.name})`}`);
}
