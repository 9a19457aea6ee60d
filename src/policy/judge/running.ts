/** What a change of the times, counts and sizes by which things run means. */
import { days, duration, plain } from "../words.js";
import { amount, figure, type Meaning, type Rows } from "./row.js";

/** Seconds. */
const seconds = (count: number) => duration(count * 1000);
const share = (count: number) => `${count} %`;

/** What AWS has deleted comes back by no longer time. */
const kept = (label: string, print: (count: number) => string, gone: string) =>
  amount(label, print, {
    more: ["stricter", "older ones can be had back"],
    less: ["irreversible", gone],
  });

const KEPT_ROWS: Rows = {
  "infrastructure.registry.keptImages": kept(
    "images kept of each service",
    plain,
    "older ones are gone, and what production runs may be one of them",
  ),
  "infrastructure.registry.untaggedDays": figure("untagged images go after", days),
  "infrastructure.frontend.oldVersionDays": kept(
    "replaced files of the site are kept",
    days,
    "older ones are gone",
  ),
  "infrastructure.buckets.abandonedUploadDays": figure("abandoned uploads go after", days),
  "infrastructure.key.deletionDays": amount("a deleted key can be had back", days, {
    more: ["stricter", "more time to notice"],
    less: ["looser", "less time to notice that everything is lost with it"],
  }),
};

const PATIENT: { more: Meaning; less: Meaning } = {
  more: ["looser", "what is dead is noticed later"],
  less: ["stricter", "what is dead is noticed sooner, and what is slow is taken for it"],
};

const CHECK_ROWS: Rows = {
  "infrastructure.tasks.checkEveryS": amount("tasks are asked every", seconds, PATIENT),
  "infrastructure.tasks.checkTimeoutS": amount("tasks must answer within", seconds, PATIENT),
  "infrastructure.tasks.checkTries": amount("bad answers end a task", plain, PATIENT),
  "infrastructure.tasks.startS": amount("bad answers of a new task count after", seconds, PATIENT),
  "infrastructure.balancer.checkEveryS": amount("the balancer asks every", seconds, PATIENT),
  "infrastructure.balancer.checkTimeoutS": amount(
    "the balancer is answered within",
    seconds,
    PATIENT,
  ),
  "infrastructure.balancer.unhealthyAfter": amount("bad answers take a task out", plain, PATIENT),
  "infrastructure.balancer.graceS": amount(
    "the balancer judges a new task after",
    seconds,
    PATIENT,
  ),
  "infrastructure.balancer.healthyAfter": amount("good answers bring a task in", plain, {
    more: ["stricter", "it is asked longer"],
    less: ["looser", "it is asked less"],
  }),
};

const END_ROWS: Rows = {
  "infrastructure.tasks.stopTimeoutS": amount("a task may end within", seconds, {
    more: ["stricter", "more of what it does is ended in order"],
    less: ["looser", "more of what it does is cut off"],
  }),
  "infrastructure.balancer.drainS": amount("requests of a task that goes may end within", seconds, {
    more: ["stricter", "fewer are cut off"],
    less: ["looser", "more are cut off"],
  }),
  "infrastructure.deployment.workersPercent": amount("workers during a deployment", share, {
    more: ["looser", "more connections at once"],
    less: ["stricter", "fewer connections at once"],
  }),
};

const SITE_ROWS: Rows = {
  "infrastructure.frontend.cachedS": figure("files of the site are kept at the edge", seconds),
  "infrastructure.frontend.cachedAtMostS": figure("they may ask for", seconds),
  "infrastructure.frontend.httpsOnlyDays": amount("browsers come by HTTPS alone", days, {
    more: ["stricter", "browsers remember it longer"],
    less: ["looser", "browsers forget it sooner"],
  }),
};

const SIZE_ROWS: Rows = {
  "infrastructure.databaseTask.cpu": figure("cpu of migrate and prepare", plain),
  "infrastructure.databaseTask.memoryMiB": figure(
    "memory of migrate and prepare",
    (size) => `${size} MiB`,
  ),
};

export const RUNNING_ROWS: Rows = {
  ...KEPT_ROWS,
  ...CHECK_ROWS,
  ...END_ROWS,
  ...SITE_ROWS,
  ...SIZE_ROWS,
};
