/** What became of a policy on its way into force, as words for people. */
import { WHOLE } from "../alert/instance.js";
import type { Held } from "../policy/harm/held.js";
import type { PolicyOverride } from "../store/policy-overrides.js";
import type { RuntimeWord } from "./runtime-word.js";

/** Of the rule AR-108 (policy-adoption-failing), so that both fold into one incident. */
const FAILING_KEY = `policy-adoption-failing/${WHOLE}`;
/** More findings are in `policy status`; a message of a hundred lines is read by nobody. */
const FINDINGS_TOLD = 5;

export interface PolicyTold {
  /** Signed revision; null: what was refused does not say. */
  readonly revision: number | null;
  /** A folder, `s3://bucket/key`, `api`. */
  readonly source: string;
  /** One sentence. */
  readonly why: string;
}

export function wordOfRefused(told: PolicyTold): RuntimeWord {
  const name = told.revision === null ? "A policy" : `Policy revision ${told.revision}`;
  return wordOf(told, {
    ...{ audience: "critical", severity: "sev2", key: FAILING_KEY },
    title: `${name} is refused: the one in force stays`,
    text: told.why,
  });
}

export function wordOfHeld(told: PolicyTold & { readonly held: readonly Held[] }): RuntimeWord {
  const { revision, held } = told;
  const lines = held
    .slice(0, FINDINGS_TOLD)
    .map(({ reason, sentence }) => `${reason}: ${sentence}`);
  const rest = held.length - lines.length;
  return wordOf(told, {
    ...{ audience: "operator", severity: "sev3", key: `policy/${revision}/held` },
    title: `Policy revision ${revision} is held: the one in force stays`,
    text: [...lines, ...(rest > 0 ? [`and ${rest} more: algobrain policy status`] : [])].join("\n"),
    todo: releaseCommand(revision),
  });
}

/** What a person types who knows better. */
export function releaseCommand(revision: number | null): string {
  return `algobrain policy release ${revision} --reason "why this is right"`;
}

export function wordOfWaiting(told: PolicyTold): RuntimeWord {
  return wordOf(told, {
    ...{ audience: "operator", severity: "sev4", key: `policy/${told.revision}/waiting` },
    title: `Policy revision ${told.revision} waits for a newer image: the one in force stays`,
    text: told.why,
  });
}

export function wordOfRolledBack(told: PolicyTold): RuntimeWord {
  return wordOf(told, {
    ...{ audience: "critical", severity: "sev2", key: FAILING_KEY },
    title: `Policy revision ${told.revision} is rolled back: the last good one is in force`,
    text: told.why,
    todo: "Git still says the new one: revert the change there",
  });
}

function wordOf(
  { revision, source, why }: PolicyTold,
  said: Pick<RuntimeWord, "audience" | "severity" | "key"> & {
    readonly title: string;
    readonly text: string;
    readonly todo?: string;
  },
): RuntimeWord {
  const { audience, severity, key, title, text, todo } = said;
  const fields = [
    { label: "Found at", value: source },
    ...(todo === undefined ? [] : [{ label: "What to do", value: todo }]),
  ];
  return {
    ...{ audience, severity, key, place: "policy" },
    message: { tone: "bad", title, text, fields },
    details: { revision, source, why },
  };
}

/** Emergency settings are told to the operators: who, why and until when. */
export function wordOfOverride(
  override: PolicyOverride,
  what: "begun" | "ended" | "expired",
): RuntimeWord {
  const { id, path, value, was, owner, reason, expiresAt } = override;
  const titles = {
    begun: `Emergency setting: ${path} is ${JSON.stringify(value)} (the policy says ${JSON.stringify(was)})`,
    ended: `Over: the emergency setting of ${path} was ended`,
    expired: `Over: the emergency setting of ${path} has expired`,
  };
  return {
    ...{ audience: "operator", severity: "sev3", key: `policy-override/${id}`, place: "policy" },
    action: what === "begun" ? "trigger" : "resolve",
    message: {
      tone: what === "begun" ? "warning" : "good",
      title: titles[what],
      text: reason,
      fields: [
        { label: "Owner", value: owner },
        { label: "Until", value: expiresAt.toISOString() },
      ],
    },
    details: { id, path, value, was, owner, reason },
  };
}
