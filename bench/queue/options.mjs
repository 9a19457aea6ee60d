// What the person asked of npm run bench:queue, checked before anything is installed or started.
import { parseArgs } from "node:util";
import { refuseUnknown } from "./peers.mjs";

export const USAGE = `npm run bench:queue                        ours and its peers, three rounds, about 40 minutes
npm run bench:queue -- OPTIONS
  --quick              small numbers: does it work, and roughly how fast
  --peers ours,pgboss-12   only these (--peers ours: without installing the peers)
  --runs 3             rounds
  --tests enqueue,drain,latency,depth,xmin
  --n 20000            jobs in a backlog; also --n-single, --lat-n, --retained, --future, --xmin-rounds,
                       --cap-c1, --cap-c10, --cap-best, --cap-depth, --cap-xmin (milliseconds)
one of these instead of the table of peers:
  --depth              with 1,000,000 finished and 200,000 future rows, against the empty table
  --xmin               with an old snapshot held open, against without
  --through-pgbouncer  through pgbouncer in transaction mode, against direct
  --capped             under limits of all kinds and of this one (BENCH_CAPS, 1000), against none
  --crash              seconds from kill -9 of a worker to the next start of its job
  --rawlimit           claim and complete in raw SQL, on our table and on a bare one
  --bars               all of it, and one line for each bar: met or not (about an hour)`;

/** Handed on to the harness as they stand. */
const NUMBERS = ["n", "n-single", "lat-n", "retained", "future", "xmin-rounds"];
const CAPS = ["cap-c1", "cap-c10", "cap-best", "cap-depth", "cap-xmin"];
const QUICK = {
  ...{ n: 2000, "n-single": 500, "lat-n": 50, retained: 20_000, future: 4_000 },
  ...{ "cap-c1": 3000, "cap-c10": 3000, "cap-best": 5000, "cap-depth": 3000, "cap-xmin": 3000 },
};
const TESTS = ["enqueue", "drain", "latency", "depth", "xmin"];
/** Instead of the table of peers. */
const COMMANDS = ["depth", "xmin", "through-pgbouncer", "capped", "crash", "rawlimit", "bars"];
/** Options that only some of them look at. */
const TAKEN_BY = {
  peers: ["peers", "depth", "xmin", "crash", "bars"],
  tests: ["peers", "through-pgbouncer", "capped"],
};

export class UsageError extends Error {}

/**
 * `name` of the command, `peers` (null: the usual ones), `runs` (null: as many as usual), `tests`, and `flags` for the
 * harness. Throws a UsageError that says what is wrong.
 */
export function readOptions() {
  const text = { type: "string" };
  const flag = { type: "boolean" };
  const { values } = parse({
    ...Object.fromEntries(
      [...NUMBERS, ...CAPS, "peers", "runs", "tests"].map((name) => [name, text]),
    ),
    ...Object.fromEntries([...COMMANDS, "quick", "help"].map((name) => [name, flag])),
  });
  const chosen = COMMANDS.filter((name) => values[name]);
  if (chosen.length > 1)
    throw new UsageError(`one of --${chosen.join(", --")} at a time: give only one of them`);
  const name = chosen[0] ?? "peers";
  for (const [option, takers] of Object.entries(TAKEN_BY))
    if (values[option] !== undefined && !takers.includes(name))
      throw new UsageError(`--${option} means nothing to --${name}`);
  const peers = values.peers?.split(",") ?? null;
  const refusal = peers && refuseUnknown(peers);
  if (refusal) throw new UsageError(refusal);
  const test = values.tests?.split(",").find((one) => !TESTS.includes(one));
  if (test !== undefined)
    throw new UsageError(`unknown test "${test}": there are ${TESTS.join(", ")}`);
  const flags = { ...(values.quick ? QUICK : {}), ...numbersOf(values) };
  return {
    help: values.help,
    name,
    peers,
    runs: values.runs === undefined ? null : positive("runs", values.runs),
    quick: values.quick === true,
    tests: values.tests,
    flags,
  };
}

function parse(options) {
  try {
    return parseArgs({ options, strict: true });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function numbersOf(values) {
  const given = [...NUMBERS, ...CAPS].filter((name) => values[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, positive(name, values[name])]));
}

function positive(name, text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`--${name} must be a whole number above 0, not "${text}"`);
  return number;
}
