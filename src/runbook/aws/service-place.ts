/** A service by the name that people type, among those of this environment. */
import { fault } from "../../base/fault.js";
import type { AwsPlace, ServicePlace } from "../aws-port.js";

/**
 * In this order they are changed: who hands work out first, then who takes it, then who is asked by people. The executor
 * runs the runbooks itself: it goes last, when nothing else is to be done, and whoever comes after it goes on.
 */
const ORDER = ["orchestrator", "workers", "api", "executor"] as const;

/** A parameter that names one service. */
export const SERVICE_PATTERN = "^[a-z]{2,30}$";

/** Throws a refused Fault `SERVICE_UNKNOWN` that names those there are. */
export function servicePlaceOf({ services, environment }: AwsPlace, name: string): ServicePlace {
  const found = Object.hasOwn(services, name) ? services[name] : undefined;
  if (found) return found;
  throw fault.refused(
    "SERVICE_UNKNOWN",
    `found "${name}", expected one of ${Object.keys(services).join(", ")} of ${environment}`,
  );
}

/** `all`, or names with commas, in the order in which they are changed. Throws a refused Fault `SERVICE_UNKNOWN`. */
export function servicesNamed(place: AwsPlace, text: string): readonly string[] {
  const names: readonly string[] = text === "all" ? ORDER : text.split(",");
  for (const name of names) servicePlaceOf(place, name);
  const missing = names.find((name) => !ORDER.some((known) => known === name));
  if (missing !== undefined)
    throw fault.refused(
      "SERVICE_UNKNOWN",
      `found "${missing}", expected ${ORDER.join(", ")} or all`,
    );
  return ORDER.filter((name) => names.includes(name));
}

/** Locks of the services that a parameter names: one for each. */
export function serviceLocks(text: string): string[] {
  return (text === "all" ? ORDER : text.split(",")).map((name) => `service-${name}`);
}
