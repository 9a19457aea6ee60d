/** The saved queries of Logs Insights, over the logs of all services (HB-log-01…03, LB-cli-08). */

import { CloudwatchQueryDefinition } from "#aws/cloudwatch-query-definition";
import type { TerraformStack } from "#cdk";
import { logQueries } from "../src/alert/outlet/log-queries.js";
import type { PolicySet } from "../src/policy/policy.js";
import { SERVICES } from "../src/policy/services.js";
import { logGroupName } from "./names.js";

/** The console shows what stands before the slash as a folder. */
export function makeLogQueries(stack: TerraformStack, policy: PolicySet): void {
  const logGroupNames = SERVICES.map((service) => logGroupName(policy, service));
  for (const { name, text } of logQueries(policy.monitoring.queries)) {
    new CloudwatchQueryDefinition(stack, `query-${name}`, {
      name: `${policy.infrastructure.cluster}/${name}`,
      queryString: text,
      logGroupNames,
    });
  }
}
