/** The verbs of AWS by name: which of them only read, and what stands in their place where there is no AWS. */
import { fault } from "../base/fault.js";
import { pick } from "../base/pick.js";
import type { AwsReader, AwsWriter } from "./aws-port.js";

const READS: Readonly<Record<keyof AwsReader, true>> = {
  place: true,
  identity: true,
  service: true,
  services: true,
  tasks: true,
  task: true,
  limits: true,
  revisions: true,
  image: true,
  logGroups: true,
  logQuery: true,
  secret: true,
  databaseCluster: true,
  snapshots: true,
  cacheGroup: true,
  securityGroups: true,
  invalidation: true,
  objects: true,
  heartbeat: true,
  alarms: true,
  probeTask: true,
  metric: true,
};
const WRITES: Readonly<Record<keyof AwsWriter, true>> = {
  updateService: true,
  registerRevision: true,
  stopTask: true,
  runTask: true,
  setLimits: true,
  putSecret: true,
  promoteSecret: true,
  createSecret: true,
  readSecret: true,
  createSnapshot: true,
  setCacheToken: true,
  putObjects: true,
  deleteObjects: true,
  invalidate: true,
};
export const AWS_READS = Object.keys(READS) as readonly (keyof AwsReader)[];
export const AWS_WRITES = Object.keys(WRITES) as readonly (keyof AwsWriter)[];

/** What only looks is handed: what is named here, so that nothing new slips in. */
export function readingAws(aws: AwsReader): AwsReader {
  return pick(aws, READS);
}

/** Each verb throws a refused Fault `AWS_NOT_CONFIGURED`: `why` is a sentence, `hint` what to do. */
export function absentAws(why: string, hint: string): AwsReader & AwsWriter {
  const refuse = () => {
    throw fault.refused("AWS_NOT_CONFIGURED", why, { hint });
  };
  return Object.fromEntries([...AWS_READS, ...AWS_WRITES].map((name) => [name, refuse])) as never;
}

/** For a runbook that declares nothing of AWS in `touches.aws`. */
export const UNDECLARED_AWS = absentAws(
  "this runbook declares no permission in AWS",
  "name what it needs in touches.aws, beside its steps",
);
