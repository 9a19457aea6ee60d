/** What infrastructure.yaml may say of the times, counts and sizes by which things run; check/running.ts bounds the durations. */

import { Type } from "../../base/type.js";
import { Duration, some, Whole } from "./form.js";

export const FRONTEND_KEPT_KEYS = {
  oldVersionDays: Whole(1, 3650, "A replaced file can be had back for so long. Default 30."),
  cached: Duration("What CloudFront keeps of a file that says nothing itself. Default 1d."),
  cachedAtMost: Duration("The longest that a file may ask for, 1s to 365d. Default 365d."),
  httpsOnlyDays: Whole(365, 3650, "Browsers come by HTTPS alone for so long. Default 365."),
};

export const IMAGES_KEPT_KEYS = {
  keptImages: Whole(
    100,
    20_000,
    "The newest of each service; what production runs must be among them. Default 1000.",
  ),
  untaggedDays: Whole(1, 365, "What a broken push left goes after so long. Default 7."),
};

const CHECK = {
  checkEvery: Duration("From one question whether it lives to the next, 5s to 5m. Default 15s."),
  checkTimeout: Duration("For the answer, 2s to 1m, less than checkEvery. Default 5s."),
};

export const RUNNING_KEYS = {
  tasks: some({
    stopTimeout: Duration("A task has this to end before it is killed, 30s to 2m. Default 2m."),
    ...CHECK,
    checkTries: Whole(1, 10, "Bad answers, one after another, that end a task. Default 3."),
    start: Duration("Bad answers do not count so soon after its start, 5m at most. Default 1m."),
  }),
  balancer: some({
    drain: Duration("A task that goes has this for what it holds, 1h at most. Default 30s."),
    grace: Duration("Its opinion of a new task counts after this, 1h at most. Default 1m."),
    ...CHECK,
    healthyAfter: Whole(2, 10, "Good answers that bring a task in. Default 2."),
    unhealthyAfter: Whole(2, 10, "Bad answers that take a task out. Default 3."),
  }),
  databaseTask: some({
    cpu: Type.Integer({ minimum: 256, description: "Of migrate and prepare. Default 256." }),
    memoryMiB: Type.Integer({ minimum: 512, description: "Default 512." }),
  }),
  deployment: some({
    workersPercent: Whole(100, 200, "Workers at most while they are deployed. Default 110."),
  }),
  key: some({
    deletionDays: Whole(7, 30, "A deletion of the key can be taken back so long. Default 30."),
  }),
  buckets: some({
    abandonedUploadDays: Whole(1, 365, "What nobody finished to upload goes then. Default 7."),
  }),
};
