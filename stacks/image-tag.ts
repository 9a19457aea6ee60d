/** Which build the tasks of a stack run. */

import { type TerraformStack, TerraformVariable } from "#cdk";

/** A moving tag says neither what runs nor what to go back to. */
export function imageTag(stack: TerraformStack): string {
  const variable = new TerraformVariable(stack, "image_tag", {
    type: "string",
    description: "The commit whose images run: 40 hexadecimal digits.",
    validation: [
      {
        condition: `\${can(regex("^[0-9a-f]{40}$", var.image_tag))}`,
        errorMessage: "image_tag must be a full commit SHA of 40 hexadecimal digits.",
      },
    ],
  });
  return variable.stringValue;
}
