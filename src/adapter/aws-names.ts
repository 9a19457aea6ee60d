/** Names in AWS taken apart: what an ARN, an image or a refusal says. */
import { fault } from "../base/fault.js";
import type { AwsPlace } from "../runbook/aws-port.js";

/** `…:task-definition/algobrain-api:42` → 42; 0 when it names no revision. */
export function revisionOf(arn: string): number {
  const text = /:(\d+)$/.exec(arn)?.[1];
  return text === undefined ? 0 : Number(text);
}

/** `…/algobrain-api:<tag>` → the tag; null for an image by digest, or without a tag. */
export function tagOf(image: string): string | null {
  if (image.includes("@")) return null;
  return /:([\w][\w.-]{0,127})$/.exec(image)?.[1] ?? null;
}

/** A refused Fault `AWS_NOT_FOUND` that says what there is instead. */
export function missingIn(what: string, existing: readonly string[]) {
  const hint =
    existing.length === 0
      ? "look at what there is: the name, the region and the account"
      : `there is ${existing.join(", ")}`;
  return fault.refused("AWS_NOT_FOUND", `there is no ${what}`, { hint });
}

/** Throws a refused Fault `AWS_NOT_FOUND` for a service that the policy does not know. */
export function serviceOf({ services }: AwsPlace, name: string) {
  const found = services[name];
  if (found === undefined) throw missingIn(`service ${name}`, Object.keys(services));
  return found;
}
