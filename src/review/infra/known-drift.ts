/**
 * What differs from the policies and somebody stands for, with an end: emergency settings, temporary changes
 * that runbooks have made, and revisions that a deployment has put in place. Read from answers of the runtime: foreign
 * data until here.
 */
import { isJsonObject, type Json } from "../../base/json.js";
import { readHeldValues } from "../drift-report.js";

export interface KnownDrift {
  /** `aws_ecs_service.workers-service`; of an emergency setting its path in the policies. */
  readonly address: string;
  /** Empty: all of it. */
  readonly attribute: string;
  readonly kind: "override" | "temporary" | "deployment";
  readonly owner: string;
  /** Null: until it is applied again. */
  readonly expires: Date | null;
  readonly reason: string;
}

/** Null: that is no answer of ours. @param health body of `GET /health` */
export function knownFromHealth(health: unknown): KnownDrift[] | null {
  const held = readHeldValues(health);
  if (held === null) return null;
  return held.map(({ path, override }) => ({
    ...{ address: path, attribute: "", kind: "override" },
    owner: override?.owner ?? "–",
    reason: override?.reason ?? "a set variable",
    expires: override === null ? null : dateOf(override.expires),
  }));
}

/**
 * Null: that is no answer of ours.
 * @param answer body of `GET /api/v1/temporary-changes`
 * @param environment whose: another one's stand for nothing here
 */
export function knownFromTemporary(answer: unknown, environment: string): KnownDrift[] | null {
  if (!isJsonObject(answer) || !Array.isArray(answer.changes)) return null;
  const ours = answer.changes.filter(
    (one) => !isJsonObject(one) || one.environment === environment,
  );
  const read = ours.map(readTemporary);
  return read.every((one) => one !== null) ? read : null;
}

function readTemporary(one: Json): KnownDrift | null {
  if (!isJsonObject(one)) return null;
  const { target, attribute, owner, reason, expires_at: expires } = one;
  // Without an attribute it would stand for whatever is done to the whole resource.
  if (typeof target !== "string" || typeof attribute !== "string" || attribute === "") return null;
  if (typeof expires !== "string" || typeof owner !== "string") return null;
  return {
    ...{ address: addressOf(target), attribute, kind: "temporary", expires: dateOf(expires) },
    ...{ owner, reason: typeof reason === "string" ? reason : "–" },
  };
}

/** What cannot be read is over: it must not hide anything. */
function dateOf(text: string): Date {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? new Date(0) : date;
}

/** What runbooks name (`ecs service workers`), by Terraform's name; anything else stands as it is, and matches no resource. */
function addressOf(target: string): string {
  return target.replace(/^ecs service ([a-z][a-z0-9-]*)$/, "aws_ecs_service.$1-service");
}

/** Whether it speaks of this attribute of this resource. `desired_count` covers nothing but itself. */
export function covers(known: KnownDrift, address: string, path: string): boolean {
  if (known.address !== address) return false;
  const { attribute } = known;
  return (
    attribute === "" ||
    path === attribute ||
    path.startsWith(`${attribute}.`) ||
    path.startsWith(`${attribute}[`)
  );
}
