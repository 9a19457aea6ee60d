/**
 * Which values of a plan a person may be shown: denied by default (gitops-iac.md E). Whoever reads a comment on a pull
 * request is not who may read the state, and Terraform marks as sensitive only what its provider knows to be.
 */
import type { Json } from "../../base/json.js";
import type { Leaf, Shown } from "./plan-document.js";

/** No value below a name like these, whatever its type. Keys of encryption and of hashes go with them: nobody misses those. */
const SECRETIVE = /pass|token|secret|cert|credential|private|user_data|auth|key/i;

const COUNT = /^\d{1,7}$/;
const CIDR = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/;
const CLASS = /^(db|cache)\.[a-z0-9]{2,8}(\.[a-z0-9]{2,10})?$/;
const WORDS = {
  comparison: /^(Greater|Less)Than(OrEqualTo|Upper|LowerOrGreaterThanUpper|Lower)?Threshold$/,
  statistic: /^(SampleCount|Average|Sum|Minimum|Maximum)$/,
  missing: /^(missing|ignore|breaching|notBreaching)$/,
  status: /^(Enabled|Disabled|Suspended)$/,
  mutability: /^(MUTABLE|IMMUTABLE)$/,
  protocol: /^(tcp|udp|icmp|-1|HTTP|HTTPS|TCP|TLS|https?)$/,
  window: /^([a-z]{3}:)?\d\d:\d\d-([a-z]{3}:)?\d\d:\d\d$/,
} as const;

/**
 * Texts that may be seen, by the name of their attribute and by their form: a secret that was put into the wrong
 * attribute does not have that form.
 */
const SAFE_TEXTS: Readonly<Record<string, RegExp>> = {
  cpu: COUNT,
  memory: COUNT,
  engine_version: /^\d{1,3}(\.\d{1,3}){0,3}$/,
  instance_class: CLASS,
  node_type: CLASS,
  cidr_block: CIDR,
  cidr_ipv4: CIDR,
  protocol: WORDS.protocol,
  ip_protocol: WORDS.protocol,
  comparison_operator: WORDS.comparison,
  statistic: WORDS.statistic,
  treat_missing_data: WORDS.missing,
  status: WORDS.status,
  image_tag_mutability: WORDS.mutability,
  preferred_backup_window: WORDS.window,
  preferred_maintenance_window: WORDS.window,
  maintenance_window: WORDS.window,
};

/** `arn:aws:ecs:us-east-1:123456789012:task-definition/algobrain-api:42` without the account. */
const REVISION =
  /^arn:aws[a-z-]*:[a-z-]+:[a-z0-9-]*:\d{12}:[a-z_-]+\/([a-z][a-z0-9-]{1,60}(?::\d{1,9})?)$/;

const ABSENT: Shown = { kind: "absent" };

/** @param names of the attribute and all that it lies in */
export function showValue(names: readonly string[], value: Json | undefined): Shown {
  if (value === null || value === undefined) return ABSENT;
  const isSecretive = names.some((name) => SECRETIVE.test(name));
  if (isSecretive) return hide(value);
  if (typeof value === "number" || typeof value === "boolean")
    return { kind: "value", text: String(value) };
  const name = names.at(-1) ?? "";
  const revision =
    typeof value === "string" && namesRevision(name, value) ? REVISION.exec(value)?.[1] : undefined;
  if (revision !== undefined) return { kind: "value", text: revision };
  const safe = Object.hasOwn(SAFE_TEXTS, name) ? SAFE_TEXTS[name] : undefined;
  return typeof value === "string" && safe?.test(value) === true
    ? { kind: "value", text: value }
    : hide(value);
}

/** What a service runs, and what a task definition is called itself. */
function namesRevision(name: string, value: string): boolean {
  return name === "task_definition" || (name === "arn" && value.includes(":task-definition/"));
}

export function hide(value: Json | undefined): Shown {
  if (value === null || value === undefined) return ABSENT;
  return {
    kind: "hidden",
    length: (typeof value === "string" ? value : JSON.stringify(value)).length,
  };
}

/** Keys of maps are made by people, and stand in paths: only those that look like names do. */
export function showName(name: string): string {
  return /^[A-Za-z_][\w.:/-]{0,63}$/.test(name) ? name : "…";
}

/** `512`; null: it is not known, not shown, or no number. */
export function numberOf(shown: Shown): number | null {
  if (shown.kind !== "value" || !/^-?\d+(\.\d+)?$/.test(shown.text)) return null;
  return Number(shown.text);
}

/** `120 → 200` */
export function wordsOf({ before, after }: Pick<Leaf, "before" | "after">): string {
  return `${wordOf(before)} → ${wordOf(after)}`;
}

function wordOf(shown: Shown): string {
  switch (shown.kind) {
    case "value":
      return shown.text;
    case "hidden":
      return `(${shown.length} characters)`;
    case "unknown":
      return "(known after the apply)";
    case "absent":
      return "–";
  }
}
