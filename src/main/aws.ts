/** AWS as the parts of this program meet it: a session for each run, the signs of life of whoever leads, a look from outside. */
import { type Aws, type AwsOptions, createAws, createAwsSigns, groundOf } from "../adapter/aws.js";
import type { AwsAccess } from "../adapter/aws-clients.js";
import { sessionOf } from "../adapter/aws-session.js";
import { alarmNames } from "../alert/outlet/alarm-names.js";
import { logQueries } from "../alert/outlet/log-queries.js";
import { systemClock } from "../base/clock.js";
import type { PolicySet } from "../policy/policy.js";
import { type AwsEstate, awsEstate } from "../runbook/aws-place.js";
import type { AwsReader, OpenedAws } from "../runbook/aws-port.js";
import { absentAws, readingAws } from "../runbook/aws-verbs.js";
import type { Runbook } from "../runbook/define.js";
import type { Run } from "../runbook/run.js";
import type { Config } from "../runtime/config.js";
import { openAwsSession } from "../runtime/executor/aws-session.js";
import type { SignsToAws } from "../runtime/tick/publish-metrics.js";
import { appendAudit } from "../store/audit.js";
import { leaseLeft } from "../store/run-leases.js";
import type { Foundation } from "./foundation.js";

export type AwsDeps = Pick<Foundation, "config" | "policy" | "clock" | "db" | "log">;

/** Of a sign of life: the next one comes soon. */
const SIGN_MS = 5_000;

const NO_AWS = absentAws(
  "this installation has no account in AWS",
  "set infrastructure.account in the policy of this environment (docs/operating.md)",
);

function accessOf({ infrastructure }: PolicySet, config: Config): AwsAccess {
  return { region: infrastructure.region, endpointUrl: config.aws.endpointUrl };
}

function estateOf(policy: PolicySet, distributionId: string | null = null): AwsEstate {
  const saved = logQueries(policy.monitoring.queries).map(({ name, text }) => [name, text]);
  const queries = Object.fromEntries(saved);
  return awsEstate(policy, { queries, alarms: alarmNames(policy), distributionId });
}

/** The name of the CDN; null: this environment has none. */
function aliasOf({ infrastructure: { frontend } }: PolicySet): string | null {
  return frontend.enabled && frontend.cdn ? frontend.host : null;
}

/** For one run: ends with it. Without an account every verb says so. */
export async function openRunAws(
  foundation: AwsDeps,
  run: Run,
  runbook: Runbook,
  signal: AbortSignal,
): Promise<Pick<OpenedAws, "aws" | "close">> {
  const { policy, config, clock, db, log } = foundation;
  if (policy().infrastructure.account === null) return { aws: NO_AWS, close: async () => {} };
  const place = () => estateOf(policy());
  const access = accessOf(policy(), config);
  const ground = groundOf({ access, place, signal, clock, onCall: () => {} });
  const alias = usesCdn(runbook) ? aliasOf(policy()) : null;
  const lease = () => leaseLeft(db, run, runbook.danger !== "R" && !run.dryRun);
  return openAwsSession(
    {
      ...{ place, log, roleArn: config.aws.executorRoleArn },
      assume: async (request) => {
        const session = sessionOf(ground, request);
        // Now, so that a policy that STS does not take ends the run before its first step.
        await session();
        return session;
      },
      open: async (session, _, onCall) => {
        const own = session === null ? access : { ...access, credentials: session };
        const more = { access: own, signal, clock, onCall, lease };
        const opened = await openNamed(policy, alias, more);
        const close = async () => {
          await opened.close();
          await ground.clients.close();
        };
        return { aws: opened.aws, close };
      },
      audit: (entry) => appendAudit(db, entry),
    },
    run,
    runbook,
    signal,
  );
}

const usesCdn = ({ touches: { aws = [] } }: Runbook): boolean =>
  aws.some(({ actions }) => actions.some((action) => action.startsWith("cloudfront:")));

/** With what its place cannot say: Terraform alone knows the id of a CDN, and the name leads to it. */
async function openNamed(
  policy: () => PolicySet,
  alias: string | null,
  options: Pick<AwsOptions, "access" | "signal" | "clock" | "onCall" | "lease">,
): Promise<Aws> {
  let distributionId: string | null = null;
  const place = () => estateOf(policy(), distributionId);
  const opened = createAws({
    ...{ ...options, place },
    namespace: () => place().namespace,
    heartbeatsTable: () => place().heartbeatsTable,
  });
  if (alias !== null) distributionId = await opened.findDistribution(alias);
  return opened;
}

/** For a command outside of any run: it only looks, as whoever has called it. Throws where there is no account. */
export async function openAwsReader(
  policy: PolicySet,
  config: Config,
  signal: AbortSignal,
): Promise<{ readonly aws: AwsReader; close(): Promise<void> }> {
  const access = accessOf(policy, config);
  const options = { access, signal, clock: systemClock, onCall: () => {} };
  const { aws, close } = await openNamed(() => policy, null, options);
  // Says so now, and not at the first verb.
  aws.place();
  return { aws: readingAws(aws), close };
}

/**
 * For the part that leads: null where nobody would read them. An endpoint of one's own is asked in `local`, too, so that
 * it can be tried.
 */
export function createSignsToAws(foundation: AwsDeps): SignsToAws | null {
  const { config, policy, clock } = foundation;
  const { account } = policy().infrastructure;
  if (config.aws.endpointUrl === null && (config.environment === "local" || account === null))
    return null;
  return createAwsSigns({
    ...{ access: accessOf(policy(), config), place: () => estateOf(policy()), clock },
    // Each has its own deadline; the process does not wait for one at its end.
    ...{ signal: new AbortController().signal, timeoutMs: SIGN_MS, onCall: () => {} },
  });
}
