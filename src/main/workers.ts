/** The worker processes of this machine, supervised: two for the public kinds, one each for the internal lane and for runbooks. */
import { randomBytes } from "node:crypto";
import type { Lane } from "../job/kinds.js";
import type { ChildProgram } from "../runtime/child.js";
import { recoverWorker } from "../runtime/recover.js";
import { createSupervisor, type Supervisor } from "../runtime/supervisor.js";
import type { Foundation } from "./foundation.js";
import { openLending } from "./lending.js";
import { DRAIN_MS } from "./worker-process.js";

export interface WorkersOptions {
  /** Program and arguments up to the role: `node …/bin/algobrain.js serve`. */
  readonly argv: readonly [string, ...string[]];
  /** The environment of the children, besides the database and home that we name. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly childLog: number | undefined;
  /** One process each. */
  readonly lanes: readonly Lane[];
}

/** A child drains first; what it then still runs is ended and goes back to the queue. */
const GRACE_MS = DRAIN_MS + 5_000;

/** Jobs run what others wrote: what signs policies and speaks to GitHub is none of their business; they are lent what they need. */
const NOT_FOR_WORKERS: readonly string[] = [
  "POLICY_SIGNING_KEY",
  "GITHUB_TOKEN",
  "POLICY_KMS_KEY",
  "GITHUB_APP_ID",
  "GITHUB_APP_PRIVATE_KEY",
  "GITHUB_APP_INSTALLATION_ID",
  // Commands come in at the API.
  "SLACK_APP_TOKEN",
];

/** Addresses, and no secrets: exports go there with credentials that are lent. */
const PLACES_OF_AWS: readonly string[] = ["AWS_REGION", "AWS_ENDPOINT_URL"];

export function startWorkers(foundation: Foundation, options: WorkersOptions): Supervisor {
  const lender = openLending(foundation);
  const supervisor = createSupervisor({
    ...foundation,
    programs: options.lanes.map((lane, i) => ({
      ...program(foundation, options, lane, i + 1),
      // Only jobs of the public kinds read repositories and write exports.
      lender: lane === "general" ? lender : undefined,
    })),
    onWorkerGone: async (workerId, end) => {
      await recoverWorker(workerId, foundation, end);
    },
    graceMs: GRACE_MS,
  });
  supervisor.start();
  return {
    ...supervisor,
    stop: async () => {
      await supervisor.stop();
      await lender.close();
    },
  };
}

function program(
  foundation: Foundation,
  options: WorkersOptions,
  lane: Lane,
  number: number,
): ChildProgram {
  return {
    name: `${lane}-${number}`,
    argv: [...options.argv, "--role", "worker", "--lane", lane],
    log: options.childLog,
    env: workerEnvironment(foundation, options.env, lane),
  };
}

/**
 * Ours, but for what a worker of that lane must not have, and with the database and home that it shares with us.
 * Only runbooks may act on AWS, each within a session policy of its own: other jobs learn where it is, and no more. A worker
 * believes no token, so the secret that signs them is replaced by one that signs nothing.
 */
export function workerEnvironment(
  { config, databaseUrl }: Pick<Foundation, "config" | "databaseUrl">,
  env: WorkersOptions["env"],
  lane: Lane,
): Readonly<Record<string, string | undefined>> {
  const isAws = (name: string) => name.startsWith("AWS_") && !PLACES_OF_AWS.includes(name);
  const foreign = lane === "executor" ? [] : Object.keys(env).filter(isAws);
  return {
    ...env,
    ...Object.fromEntries([...NOT_FOR_WORKERS, ...foreign].map((name) => [name, undefined])),
    ...(env.JWT_SECRET === undefined ? {} : { JWT_SECRET: randomBytes(32).toString("hex") }),
    // The embedded server's password is in the URL: the environment of our own child, never argv.
    DATABASE_URL: databaseUrl,
    ...(config.database.directUrl ? { DATABASE_DIRECT_URL: config.database.directUrl } : {}),
    DATABASE_SSL: String(config.database.ssl),
    ALGOBRAIN_HOME: config.home,
  };
}
