/** A service by the name that people type, among those of this environment. */
import { fault } from "../base/fault.js";
import type { AwsPlace, ServicePlace } from "./aws-port.js";

/** In this order they are changed: who hands work out first, who takes it, who is asked by people. */
const ORDER = ["orchestrator", "workers", "api"] as const;

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
  const names = text === "all" ? ORDER : text.split(",");
  for (const name of names) servicePlaceOf(place, name);
  return ORDER.filter((name) => names.includes(name));
}
