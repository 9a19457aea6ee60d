/** Times, counts and sizes by which what is made runs: each has a default, and AWS takes every value that the schema does. */

export interface TaskSize {
  /** 1024 is one vCPU. */
  readonly cpu: number;
  readonly memoryMiB: number;
}

/** Of the containers of all services. */
export interface Tasks {
  /** Seconds that a task has to end before it is killed; Fargate's most are 120. */
  readonly stopTimeoutS: number;
  /** Seconds from one question whether it lives to the next. */
  readonly checkEveryS: number;
  /** Seconds for the answer. */
  readonly checkTimeoutS: number;
  /** Questions without a good answer, one after another, that end a task. */
  readonly checkTries: number;
  /** Seconds after the start in which a bad answer does not count. */
  readonly startS: number;
}

/** Of the balancer before the API (HB-aws-17). */
export interface BalancerTimes {
  /** Seconds that a task which is told to go has for the requests it holds. */
  readonly drainS: number;
  /** Seconds after which its opinion of a new task counts. */
  readonly graceS: number;
  readonly checkEveryS: number;
  readonly checkTimeoutS: number;
  /** Good answers, one after another, that bring a task in, and bad ones that take it out. */
  readonly healthyAfter: number;
  readonly unhealthyAfter: number;
}

/** What the site's bucket and CloudFront keep. */
export interface FrontendKept {
  /** Days for which a replaced file can be had back. */
  readonly oldVersionDays: number;
  /** Seconds for which CloudFront keeps a file that says nothing of it, and those at most for one that does. */
  readonly cachedS: number;
  readonly cachedAtMostS: number;
  /** Days for which browsers come by HTTPS alone; lists of preloads take no less than a year. */
  readonly httpsOnlyDays: number;
}

/** What the image repositories keep (HB-aws-06). */
export interface ImagesKept {
  /** The newest of each service. What production runs may be many merges old, and gone, no task of it could start. */
  readonly keptImages: number;
  /** Days after which what a broken push left behind goes. */
  readonly untaggedDays: number;
}

export interface Running {
  readonly tasks: Tasks;
  readonly balancer: BalancerTimes;
  /** Of the two tasks that work as the database's master user, each run once. */
  readonly databaseTask: TaskSize;
  readonly deployment: {
    /** Workers at most while they are deployed, in percent of what there should be. */
    readonly workersPercent: number;
  };
  readonly key: {
    /** Days for which the deletion of the key can be taken back. */
    readonly deletionDays: number;
  };
  readonly buckets: {
    /** Parts of an upload that nobody finished are paid for and invisible: after so many days they go. */
    readonly abandonedUploadDays: number;
  };
}

const DAY_S = 86_400;

export const RUNNING_DEFAULTS: Running = {
  tasks: { stopTimeoutS: 120, checkEveryS: 15, checkTimeoutS: 5, checkTries: 3, startS: 60 },
  balancer: {
    ...{ drainS: 30, graceS: 60 },
    ...{ checkEveryS: 15, checkTimeoutS: 5, healthyAfter: 2, unhealthyAfter: 3 },
  },
  // The smallest that Fargate offers: statements run on the server.
  databaseTask: { cpu: 256, memoryMiB: 512 },
  deployment: { workersPercent: 110 },
  // The longest that AWS offers.
  key: { deletionDays: 30 },
  // A week outlives any retry.
  buckets: { abandonedUploadDays: 7 },
};

export const FRONTEND_KEPT: FrontendKept = {
  ...{ oldVersionDays: 30, cachedS: DAY_S, cachedAtMostS: 365 * DAY_S, httpsOnlyDays: 365 },
};

/** Every merge makes an image, and the layers that images share are paid for once. */
export const IMAGES_KEPT: ImagesKept = { keptImages: 1_000, untaggedDays: 7 };
