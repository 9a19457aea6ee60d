/** The stacks of one environment. They lay out resources and decide nothing: every number is the policy's. */
import { App, TerraformStack } from "#cdk";
import type { LeftOut } from "../src/alert/outlet/left-out.js";
import type { PolicySet } from "../src/policy/policy.js";
import { closeRoles } from "./closed-roles.js";
import { makeClusterStack } from "./cluster-stack.js";
import { makeDataStack } from "./data-stack.js";
import { makeDeliveryStack } from "./delivery-stack.js";
import { makeIdentityStack } from "./identity-stack.js";
import { makeNetworkStack } from "./network-stack.js";
import { makeObservabilityStack } from "./observability-stack.js";
import { makeRegistryStack } from "./registry-stack.js";
import { makeServicesStack } from "./services-stack.js";

export interface Built {
  readonly app: App;
  readonly leftOut: readonly LeftOut[];
}

/** Unknown to CDKTF. Its successor refuses state locks in S3 unless a project says that it needs them (scripts/swap-cdktn.mjs). */
const TARGETS = { terraform: ">=1.10.0", opentofu: ">=1.10.0" };

/** `outDir` must exist. Nothing is written until the app is synthesized. */
export function buildApp(policy: PolicySet, outDir: string): Built {
  // Stack traces would put paths of this machine into the output.
  const app = new App({ outdir: outDir, stackTraces: false, context: { targetVersions: TARGETS } });
  makeNetworkStack(app, policy);
  makeDataStack(app, policy);
  makeRegistryStack(app, policy);
  makeIdentityStack(app, policy);
  makeClusterStack(app, policy);
  makeServicesStack(app, policy);
  makeDeliveryStack(app, policy);
  const leftOut = makeObservabilityStack(app, policy);
  for (const stack of app.node.children) if (stack instanceof TerraformStack) closeRoles(stack);
  return { app, leftOut };
}
