/** What the network has made and the data stack stands in. */

import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { outputListOf, outputOf } from "./foundation.js";

export interface DataInputs {
  readonly subnetIds: string[];
  readonly databaseGroupId: string;
  readonly cacheGroupId: string;
  readonly keyArn: string;
  readonly logsBucket: string;
}

export function readDataInputs(stack: TerraformStack, policy: PolicySet): DataInputs {
  return {
    subnetIds: outputListOf(stack, policy, "network", "private_subnet_ids"),
    databaseGroupId: outputOf(stack, policy, "network", "database_group_id"),
    cacheGroupId: outputOf(stack, policy, "network", "cache_group_id"),
    keyArn: outputOf(stack, policy, "network", "kms_key_arn"),
    logsBucket: outputOf(stack, policy, "network", "access_logs_bucket"),
  };
}
