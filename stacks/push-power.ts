/** What the workflow that builds images may: push them, and look whether a tag is there. It deletes none and deploys none. */
import type { PolicySet } from "../src/policy/policy.js";
import { SERVICES } from "../src/policy/services.js";
import { arnOf, repositoryName } from "./names.js";
import type { Statement } from "./statement.js";

export function pushPower(policy: PolicySet): Statement[] {
  return [
    // Knows no resource (Service Authorization Reference, Amazon ECR).
    { Sid: "LogIn", Effect: "Allow", Action: ["ecr:GetAuthorizationToken"], Resource: ["*"] },
    {
      // "IAM permissions for pushing an image" (ECR user guide); looking comes first, since a tag is never pushed twice.
      Sid: "Push",
      Effect: "Allow",
      Action: [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ],
      Resource: SERVICES.map((service) =>
        arnOf(policy, "ecr", `repository/${repositoryName(policy, service)}`),
      ),
    },
  ];
}
