/** Who may come from GitHub without a key that is kept: workflows of one repository, told apart by their subject. */

import { IamOpenidConnectProvider } from "#aws/iam-openid-connect-provider";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { iamArn } from "./names.js";
import { policyDocument } from "./statement.js";

const ISSUER = "token.actions.githubusercontent.com";
const AUDIENCE = "sts.amazonaws.com";

/** ARN of the provider: an account has one, so one environment makes it and the others find it. */
export function gitHubProvider(stack: TerraformStack, policy: PolicySet): string {
  if (policy.infrastructure.identity.oidcProvider === "existing")
    return iamArn(policy, `oidc-provider/${ISSUER}`);
  const provider = new IamOpenidConnectProvider(stack, "github", {
    url: `https://${ISSUER}`,
    clientIdList: [AUDIENCE],
  });
  return provider.arn;
}

/** A role that only workflows with these contexts may take, e.g. `environment:production`; compared whole, never by a pattern. */
export function trustGitHub(
  policy: PolicySet,
  providerArn: string,
  contexts: readonly string[],
): string {
  return policyDocument([
    {
      Sid: "GitHub",
      Effect: "Allow",
      Principal: { Federated: providerArn },
      Action: ["sts:AssumeRoleWithWebIdentity"],
      Condition: {
        StringEquals: {
          [`${ISSUER}:aud`]: AUDIENCE,
          [`${ISSUER}:sub`]: contexts.flatMap((context) => subjects(policy, context)),
        },
      },
    },
  ]);
}

/**
 * `repo:owner/name:environment:production`, and where the policy knows GitHub's numbers the form that has
 * them, too: a name can be given up and taken by somebody else, a number cannot (GitHub manual, "OpenID
 * Connect reference", immutable subject claims).
 */
function subjects({ infrastructure }: PolicySet, context: string): string[] {
  const { repo, ownerId, repoId } = infrastructure.identity;
  const [owner, name] = repo.split("/");
  const byName = `repo:${repo}:${context}`;
  if (ownerId === null || repoId === null) return [byName];
  return [byName, `repo:${owner}@${ownerId}/${name}@${repoId}:${context}`];
}
