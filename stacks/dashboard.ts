/** The overview of an environment in CloudWatch's console (HB-dash-01…05). */

import { CloudwatchDashboard } from "#aws/cloudwatch-dashboard";
import type { TerraformStack } from "#cdk";
import { cloudWatchDashboard } from "../src/alert/outlet/cloudwatch-dashboard.js";
import type { PolicySet } from "../src/policy/policy.js";
import { logGroupName } from "./names.js";

export function makeDashboard(stack: TerraformStack, policy: PolicySet): void {
  const logGroups = [logGroupName(policy, "workers")];
  new CloudwatchDashboard(stack, "overview", {
    dashboardName: `${policy.infrastructure.cluster}-overview`,
    dashboardBody: JSON.stringify(cloudWatchDashboard(policy, logGroups)),
  });
}
