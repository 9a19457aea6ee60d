/** Which exception of exceptions.yaml lets a change through, which has run out, and which nobody needs. */
import { DAY_MS } from "../../base/duration.js";
import type { PlanException } from "../../policy/plan-review.js";
import type { Verdict } from "./verdict.js";

export interface Exceptions {
  readonly exceptions: readonly PlanException[];
  readonly at: { readonly environment: string; readonly now: Date };
}

/** The first that holds. */
export function findException(
  address: string,
  allows: readonly PlanException["allows"][],
  { exceptions, at }: Exceptions,
): PlanException | null {
  const found = exceptions.find(
    (one) =>
      one.environment === at.environment &&
      allows.includes(one.allows) &&
      matches(one.address, address) &&
      !hasExpired(one, at.now),
  );
  return found ?? null;
}

/** `aws_s3_bucket.*` is every bucket, and nothing of another type. */
function matches(pattern: string, address: string): boolean {
  if (!pattern.endsWith(".*")) return pattern === address;
  return address.startsWith(pattern.slice(0, -1));
}

/** It counts to the end of its last day (UTC). A day that cannot be read is over. */
export function hasExpired({ expires }: PlanException, now: Date): boolean {
  const end = Date.parse(`${expires}T00:00:00Z`) + DAY_MS;
  return !(now.getTime() < end);
}

export interface Idle {
  readonly name: string;
  readonly owner: string;
  readonly why: "expired" | "unused";
}

/** Those of this environment that let nothing through in any of its stacks: to be taken out of the file. */
export function idleExceptions(known: Exceptions, verdicts: readonly Verdict[]): Idle[] {
  const used = new Set(
    verdicts.flatMap(({ findings }) => findings.flatMap(({ excepted }) => excepted?.name ?? [])),
  );
  return known.exceptions
    .filter(({ environment, name }) => environment === known.at.environment && !used.has(name))
    .map((one) => ({
      ...{ name: one.name, owner: one.owner },
      why: hasExpired(one, known.at.now) ? "expired" : "unused",
    }));
}
