/**
 * Runbooks that an alert starts by itself: a transition into a level that an automation names asks for its
 * runbook, under the same guards as an incident does. Automation that cannot act says so and silences no alert.
 */
import { labelsOf } from "../alert/instance.js";
import type { Transition } from "../alert/state.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { Automation, PolicySet } from "../policy/policy.js";
import { type CauseValues, isMeantFor } from "../runbook/automation.js";
import { operatorChannel } from "../runbook/operator-channel.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { lockAutomation } from "../store/automation-history.js";
import type { Sql } from "../store/database.js";
import { withSavepoint } from "../store/savepoint.js";
import { type AutomationOutcome, submitAutomation } from "../store/submit-automation.js";
import type { Config } from "./config.js";
import type { RuntimeNotify, RuntimeWord } from "./runtime-word.js";
import type { EvaluateAlertsDeps } from "./tick/evaluate-alerts.js";

export interface AlertAutomationDeps {
  readonly registry: RunbookRegistry;
  readonly policy: () => PolicySet;
  readonly notify: RuntimeNotify;
  readonly log: Logger;
  readonly config: Pick<Config, "gitopsRepo">;
}

/** Getting worse starts something; a downgrade is on its way out by itself. */
const ENTERS_LEVEL: readonly Transition["kind"][] = ["fired", "upgraded"];

const URGENT: readonly Transition["severity"][] = ["sev1", "sev2"];

export function createAlertAutomation(
  deps: AlertAutomationDeps,
): NonNullable<EvaluateAlertsDeps["onTransitions"]> {
  return async (tx, transitions, now) => {
    const starts = transitions
      .filter(({ kind }) => ENTERS_LEVEL.includes(kind))
      .flatMap((transition) =>
        automationsFor(deps, transition).map((it) => [it, transition] as const),
      );
    // Before the first of them is audited: whoever holds the audit's chain waits for no lock.
    if (starts.length > 0) await lockAutomation(tx);
    for (const [automation, transition] of starts)
      await start(tx, deps, automation, transition, now);
  };
}

function automationsFor({ policy }: AlertAutomationDeps, { level }: Transition): Automation[] {
  return policy().automation.filter((it) => isMeantFor(it, { on: "alert", level }));
}

async function start(
  tx: Sql,
  deps: AlertAutomationDeps,
  automation: Automation,
  transition: Transition,
  now: Date,
): Promise<void> {
  const sentence = await ask(tx, deps, automation, transition, now);
  if (sentence === null) return;
  const word = wordOfHeld(automation, transition, sentence);
  await deps.notify(tx, word);
  // That nothing was done about what cannot wait is news for whoever is on call, wherever the alert itself is told.
  if (URGENT.includes(transition.severity))
    await deps.notify(tx, { ...word, audience: "critical" });
}

/** Null when nobody needs to be told; else why no runbook was started. */
async function ask(
  tx: Sql,
  { registry, policy, log, config }: AlertAutomationDeps,
  automation: Automation,
  transition: Transition,
  now: Date,
): Promise<string | null> {
  const set = policy();
  const role = set.access.serviceRoles.policy;
  try {
    const outcome = await withSavepoint(tx, () =>
      submitAutomation(tx, {
        ...{ registry, policy: set, automation, now, gitopsRepo: config.gitopsRepo },
        actor: { name: `policy:${automation.name}`, role, door: "policy" },
        alertLevel: transition.level,
        causeKey: `alert:${transition.level}/${transition.instance}`,
        values: valuesOf(transition),
        chat: operatorChannel(set.routes),
      }),
    );
    return sentenceOf(outcome);
  } catch (error) {
    // The alert and its page stand in the same transaction: they must not fall with the automation.
    log.error("automation.failed", { automation: automation.name, error: errorMessage(error) });
    return `it failed: ${errorMessage(error)}`;
  }
}

function sentenceOf(outcome: AutomationOutcome): string | null {
  switch (outcome.outcome) {
    case "queued":
    case "already-running":
      return null;
    // Many instances fire at once: the run that is at work is for all of them.
    case "folded":
      return null;
    case "refused":
    case "held":
      return outcome.sentence;
  }
}

/** `alert.labels.kind` and the like, as an automation's parameters may name them. */
function valuesOf({ rule, instance, level, severity, value }: Transition): CauseValues {
  const labels = Object.entries(labelsOf(instance)).map(([name, text]) => [
    `alert.labels.${name}`,
    text,
  ]);
  return {
    ...{ "alert.rule": rule, "alert.instance": instance, "alert.level": level },
    ...{ "alert.severity": severity, "alert.value": value },
    ...Object.fromEntries(labels),
  };
}

function wordOfHeld(
  automation: Automation,
  { rule, instance, level, severity }: Transition,
  sentence: string,
): RuntimeWord {
  return {
    audience: "operator",
    severity,
    key: `automation/${automation.name}`,
    place: rule,
    message: {
      tone: "warning",
      title: `No runbook was started for ${rule}: a person is needed`,
      fields: [
        { label: "Automation", value: `${automation.name} → ${automation.runbook}` },
        { label: "Why not", value: sentence },
      ],
    },
    details: { automation: automation.name, runbook: automation.runbook, rule, instance, level },
  };
}
