/** Which foreign systems this configuration reaches, and whether policies need more than it has. */

import type { PolicySet } from "../../policy/policy.js";
import type { BundleSource } from "../../review/port.js";
import type { Config } from "../config.js";
import { bad, doubtful, type Finding, good } from "./diagnose.js";

/** A kind of receiver whose key is missing keeps its notices in the outbox, where nobody reads them. */
export function judgeReceivers(config: Config, { routes }: Pick<PolicySet, "routes">): Finding {
  const isConfigured = {
    slack: config.slack.botToken !== null,
    pagerduty: config.pagerduty.routingKey !== null,
    webhook: true,
    email: config.mail !== null,
  };
  const variables = {
    slack: "SLACK_BOT_TOKEN",
    pagerduty: "PAGERDUTY_ROUTING_KEY",
    webhook: "",
    email: "SMTP_URL and SMTP_FROM",
  };
  const receivers = Object.values(routes.receivers);
  const mute = receivers.filter(({ kind }) => !isConfigured[kind]);
  if (mute.length === 0) return good("valid, and every receiver can be told");
  const missing = [...new Set(mute.map(({ kind }) => variables[kind]))];
  return doubtful(
    `valid, but ${mute.map(({ name }) => name).join(", ")} cannot be told anything: notices wait in the outbox`,
    `set ${missing.join(" and ")}`,
  );
}

/** Whether a published policy is to be had; what it says is checked by the runtime that adopts it. */
export async function examineSource(source: BundleSource, signal: AbortSignal): Promise<Finding> {
  const found = await source.fetch(null, signal);
  return found === null
    ? doubtful(`nothing is published at ${source.name}`, "see: algobrain policy publish --help")
    : good(`published at ${source.name}`);
}

/** @param status of the answer to a question for the keys, which is how tokens are checked */
export function judgeIssuer(oidc: NonNullable<Config["oidc"]>, status: number): Finding {
  const { issuer, jwksUrl } = oidc;
  if (status === 200) return good(issuer);
  return bad(`${jwksUrl} answers ${status}`, "correct OIDC_ISSUER or OIDC_JWKS_URL");
}
