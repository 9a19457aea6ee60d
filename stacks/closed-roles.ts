/**
 * A role may do what its stack says and nothing more: what somebody attaches to it by hand, or writes into it, stands in
 * no other resource of Terraform, so a plan would never show it. These two types list all there may be (provider 6.25,
 * `aws_iam_role_policies_exclusive` and `aws_iam_role_policy_attachments_exclusive`): the rest is drift, and an apply takes
 * it away.
 */

import { IamRole } from "#aws/iam-role";
import { IamRolePoliciesExclusive } from "#aws/iam-role-policies-exclusive";
import { IamRolePolicy } from "#aws/iam-role-policy";
import { IamRolePolicyAttachment } from "#aws/iam-role-policy-attachment";
import { IamRolePolicyAttachmentsExclusive } from "#aws/iam-role-policy-attachments-exclusive";
import { DefaultTokenResolver, StringConcat, type TerraformStack, Tokenization } from "#cdk";

const RESOLVER = new DefaultTokenResolver(new StringConcat());

/** Once all else of the stack is there. */
export function closeRoles(stack: TerraformStack): void {
  const nodes = stack.node.findAll();
  const written = nodes.filter((node) => node instanceof IamRolePolicy);
  const attached = nodes.filter((node) => node instanceof IamRolePolicyAttachment);
  for (const role of nodes.filter((node) => node instanceof IamRole)) {
    const textOf = (name: string | undefined): unknown =>
      Tokenization.resolve(name, { scope: stack, resolver: RESOLVER, preparing: false });
    const isOf = (name: string | undefined) => textOf(name) === textOf(role.name);
    const id = role.node.id;
    new IamRolePoliciesExclusive(stack, `${id}-written`, {
      roleName: role.name,
      policyNames: written.filter((one) => isOf(one.roleInput)).map(({ name }) => name),
    });
    new IamRolePolicyAttachmentsExclusive(stack, `${id}-attached`, {
      roleName: role.name,
      policyArns: attached.filter((one) => isOf(one.roleInput)).map(({ policyArn }) => policyArn),
    });
  }
}
