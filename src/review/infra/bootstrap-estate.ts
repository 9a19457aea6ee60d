/**
 * What `bootstrap` leaves behind, as `infra adopt` takes it: the stack of identities describes all of it, so Terraform has to
 * take it over, or it would make each thing a second time and fail. The state's own bucket is in no stack.
 */
import type { FoundResource } from "./adopt.js";
import { policyArn, providerArn, type Wanted } from "./bootstrap-plan.js";

/** Ids and names by the import rules (import-rules). @param account 12 digits */
export function estateOf({ provider, policies, roles }: Wanted, account: string): FoundResource[] {
  const host = provider === null ? [] : [provider.host];
  return [
    ...host.map((one) => found("openid_connect_provider", providerArn(account, one), https(one))),
    ...Object.keys(policies).map((name) => found("policy", policyArn(account, name), name)),
    ...roles.flatMap(({ name, inline, attached }) => [
      found("role", name, null),
      ...Object.keys(inline).map((one) => found("role_policy", `${name}:${one}`, null)),
      ...attached.map((arn) => found("role_policy_attachment", `${name}/${arn}`, short(name, arn))),
    ]),
  ];
}

function found(kind: string, id: string, name: string | null): FoundResource {
  return { type: `aws_iam_${kind}`, id, name };
}

function https(host: string): string {
  return `https://${host}`;
}

/** Of a policy of ours the stack knows the name, and not the ARN that AWS gives it. */
function short(role: string, arn: string): string {
  return `${role}/${arn.slice(arn.lastIndexOf("/") + 1)}`;
}
