/** Who is told of a level. */
import type { AlertLevel, AlertRule, Routes } from "../policy/policy.js";
import { selectorsOf } from "../policy/selectors.js";
import type { Labels } from "./instance.js";

/** Its label `receiver` names who cannot be reached (AR-35). */
const FAILING = "algobrain.notices.failing";
/** The storm itself (AR-32). */
const FIRED = "algobrain.alerts.fired_per_minute";

/** Names in routes.yaml. That somebody cannot be reached is told by another way: to everyone else. */
export function receiversOf(
  rule: AlertRule,
  level: AlertLevel,
  labels: Labels,
  { runtimeReceivers }: Pick<Routes, "runtimeReceivers">,
): readonly string[] {
  const failing = isAbout(rule, FAILING) ? labels.receiver : undefined;
  if (failing === undefined) return level.notify;
  const others = level.notify.filter((name) => name !== failing);
  return others.length > 0 ? others : runtimeReceivers.critical.filter((name) => name !== failing);
}

/** A rule about telling people must not drown in what it speaks of. */
export function speaksInStorms(rule: AlertRule): boolean {
  return isAbout(rule, FAILING) || isAbout(rule, FIRED);
}

function isAbout({ signal }: AlertRule, metric: string): boolean {
  return selectorsOf(signal).some((selector) => selector.metric === metric);
}
