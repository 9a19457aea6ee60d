/** `infra drift`: what differs from the policies in the estate itself, and who stands for it. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { systemClock } from "../../base/clock.js";
import { oneLine } from "../../message/plain.js";
import { type AnsweredDrift, answeredLines } from "../../review/infra/answered-drift.js";
import { judgeDrift } from "../../review/infra/drift.js";
import { type DriftFacts, stateOfAll, writeDriftIssue } from "../../review/infra/drift-issue.js";
import { chooseHeals } from "../../review/infra/heal.js";
import { driftToTell, whyNotTold } from "../../review/infra/told-drift.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { askKnown } from "./known.js";
import { POLICY_OPTIONS, policyOf } from "./policy-of.js";
import { RUNTIME_OPTIONS, type RuntimePlace } from "./runtime-at.js";
import { PLAN_OPTIONS, readSavedPlans } from "./saved-plans.js";
import { tellDrift } from "./tell-drift.js";

const OPTIONS = {
  ...POLICY_OPTIONS,
  ...PLAN_OPTIONS,
  ...RUNTIME_OPTIONS,
  markdown: { type: "string" },
  "state-file": { type: "string" },
  "heals-file": { type: "string" },
  propose: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** As `terraform plan -detailed-exitcode` says it. */
const EXIT_DRIFTED = 2;

export async function runDrift(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const saved = await readSavedPlans(values, io);
  const policy = await policyOf(values, io);
  if (policy === null) return EXIT_FAILED;
  const { known, unasked, wasAsked } = await askKnown(values, io);
  const { review } = policy.infrastructure;
  const classes = Object.values(review.drift.classes);
  const now = systemClock.now();
  const looked = saved.map(({ stack, plan }) => ({
    stack,
    report:
      "error" in plan
        ? ({ state: "failed", why: plan.error } as const)
        : judgeDrift(plan, classes, known, now),
  }));
  const found = { environment: policy.environment, stacks: looked, known, unasked };
  const plans = new Map(
    saved.flatMap(({ stack, plan }) => ("error" in plan ? [] : [[stack, plan]])),
  );
  const { heals, stacks } = chooseHeals({ ...found, plans, wasAsked }, review, now);
  const whole: DriftFacts = { ...found, stacks };
  const answered = values.propose ? await propose(values, { whole, wasAsked }, io) : null;
  const facts: DriftFacts = { ...whole, answered };
  const state = stateOfAll(facts);
  if (values["heals-file"] !== undefined)
    await writeFile(resolve(io.cwd, values["heals-file"]), `${JSON.stringify(heals, null, 2)}\n`);
  if (values.markdown !== undefined)
    await writeFile(resolve(io.cwd, values.markdown), `${writeDriftIssue(facts)}\n`);
  if (values["state-file"] !== undefined)
    await writeFile(resolve(io.cwd, values["state-file"]), `${state}\n`);
  if (values.json) io.out(JSON.stringify({ state, ...facts }));
  else tell(state, facts, io);
  if (state === "failed") return EXIT_FAILED;
  return state === "drifted" ? EXIT_DRIFTED : EXIT_OK;
}

/** What a look that is not whole has found is told to nobody. */
async function propose(
  place: RuntimePlace,
  { whole, wasAsked }: { readonly whole: DriftFacts; readonly wasAsked: boolean },
  io: CommandIo,
): Promise<AnsweredDrift> {
  const why = whyNotTold(whole, wasAsked);
  const answered = why === null ? await tellDrift(place, driftToTell(whole), io) : { why };
  if ("why" in answered) io.err(`no pull request was asked for: ${oneLine(answered.why)}`);
  else for (const line of answeredLines(answered)) io.out(line);
  return answered;
}

function tell(state: string, { stacks, unasked }: DriftFacts, io: CommandIo): void {
  for (const sentence of unasked) io.err(`known drift is not known: ${sentence}`);
  for (const { stack, report } of stacks) {
    if (report.state === "failed") {
      io.err(`${stack}: the check has failed: ${oneLine(report.why)}`);
      continue;
    }
    const { unknown, expired, known } = report;
    io.out(`${stack}: ${report.state}`);
    for (const { address, mode, unhealed } of unknown)
      io.out(
        `  ${address}: nobody stands for it, ${mode}${unhealed === null ? "" : `, not put back: ${unhealed}`}`,
      );
    for (const { address } of expired) io.out(`  ${address}: its time is over`);
    for (const { address } of known) io.out(`  ${address}: known`);
  }
  io.out(state);
}
