/** `serve`: runs the service until a signal; says where it is and what to try next. */
import { systemClock } from "../base/clock.js";
import { INTERNAL_KINDS, LANES, type Lane, PUBLIC_KINDS } from "../job/kinds.js";
import type { Runtime, ServedRole } from "../main.js";
import { withLocalSecrets } from "../runtime/local-secrets.js";
import { oneOf, parseCommandLine, UsageError } from "./arguments.js";
import { type Command, type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";
import { readableLine } from "./readable-log.js";
import { openConfig } from "./settings.js";

const PORT_MAX = 65_535;
const ROLES: readonly ServedRole[] = ["all", "api", "orchestrator", "worker", "executor"];

export const serveCommand: Command = {
  name: "serve",
  forms: [
    {
      usage:
        "serve [--role all|api|orchestrator|worker|executor] [--kinds index,score] [--port 3001]",
      does: "run the service on this machine (what npm start calls)",
    },
  ],
  async run(args, io) {
    const { values } = parseCommandLine(args, {
      role: { type: "string", default: "all" },
      lane: { type: "string" },
      kinds: { type: "string" },
      port: { type: "string" },
    });
    const role = oneOf("--role", values.role, ROLES);
    const kinds = values.kinds === undefined ? null : readKinds(values.kinds);
    const lane = laneOf(values.lane, role, kinds);
    checkPort(values.port);
    return serve({ role, lane, kinds }, values.port, io);
  },
};

function checkPort(text: string | undefined): void {
  if (text === undefined || (/^\d{1,5}$/.test(text) && Number(text) <= PORT_MAX)) return;
  throw new UsageError(`--port: found "${text}", expected a whole number from 0 to ${PORT_MAX}`);
}

function readKinds(text: string): string[] {
  const known = [...PUBLIC_KINDS, ...INTERNAL_KINDS];
  return text.split(",").map((kind) => oneOf("--kinds", kind.trim(), known));
}

/** With a lane or kinds this process is the worker itself; without, it supervises worker processes. */
function laneOf(
  text: string | undefined,
  role: ServedRole,
  kinds: readonly string[] | null,
): Lane | null {
  if (text === undefined && kinds === null) return null;
  if (role !== "worker") throw new UsageError("--lane and --kinds go with --role worker");
  if (text !== undefined) return oneOf("--lane", text, LANES);
  if (kinds?.every((kind) => kind === "runbook") === true) return "executor";
  const internal =
    kinds?.every((kind) => (INTERNAL_KINDS as readonly string[]).includes(kind)) === true;
  return internal ? "internal" : "general";
}

interface Served {
  readonly role: ServedRole;
  readonly lane: Lane | null;
  readonly kinds: readonly string[] | null;
}

async function serve(served: Served, port: string | undefined, io: CommandIo): Promise<number> {
  const env = port === undefined ? io.env : { ...io.env, PORT: port };
  const config = await withLocalSecrets(await openConfig({ ...io, env }));
  const ended = endOfService();
  const readable = process.stderr.isTTY === true;
  // Only here: the other commands need not wait for the whole of it to load.
  const { startRuntime } = await import("../main.js");
  const runtime = await startRuntime({
    ...served,
    config,
    packageRoot: io.packageRoot,
    cwd: io.cwd,
    env,
    writeLog: (line) => io.err(readable ? readableLine(line) : line),
    onFatal: ended.fail,
    ending: ended.signal,
  });
  const { log, policyHolder } = runtime.foundation;
  const policy = policyHolder.inForce().digest;
  log.info("runtime.started", { url: runtime.url, database: runtime.database, policy });
  if (served.lane === null && config.environment === "local") greet(runtime, io);
  const why = await ended.reason;
  log.info("runtime.stopping", { why: why.text });
  if (served.lane === null && config.environment === "local")
    io.out("draining: running jobs get their time");
  await runtime.stop();
  const code = why.failed ? EXIT_FAILED : EXIT_OK;
  endWithin(LEFT_OVER_MS, code);
  return code;
}

function greet({ url, database, foundation }: Runtime, io: CommandIo): void {
  io.out("");
  if (url !== null) io.out(`AlgoBrain listens on ${url}`);
  io.out(`  database  ${database}`);
  io.out(
    `  policy    ${foundation.policyHolder.inForce().digest.slice(0, 12)} (${foundation.policy().system}, ${foundation.policy().environment})`,
  );
  for (const { name, policyValue, value } of foundation.drift()) {
    io.out(`  drift     ${name}=${value}, the policy says ${policyValue}`);
  }
  io.out("Try next, in another terminal:");
  io.out("  npx algobrain index .             index this checkout: real jobs on a real history");
  io.out("  npx algobrain jobs list           what ran, what runs, what failed");
  io.out("  npx algobrain gameday             break things on purpose and watch them heal");
  io.out("");
}

/** A handler that is deaf to its signal may hold the process for ever, and its job with it: nobody waits for that. */
const LEFT_OVER_MS = 1_000;

/** A process that has nothing left to do ends before. */
function endWithin(ms: number, code: number): void {
  setTimeout(() => process.exit(code), ms).unref();
}

/** One Ctrl-C under npm comes twice: from the terminal, and passed on by npm. */
const ECHO_MS = 1_000;

/** Resolves at the first signal or fatal word. A second signal ends the process at once: nothing is lost then either. */
function endOfService() {
  let settle: (why: { text: string; failed: boolean }) => void = () => {};
  const ending = new AbortController();
  const reason = new Promise<{ text: string; failed: boolean }>((resolve) => {
    settle = (why) => {
      resolve(why);
      ending.abort();
    };
  });
  let askedAtMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals) => {
    // A terminal's Ctrl-C reaches children too: they wait for their supervisor's word.
    if (signal === "SIGINT" && process.connected) return;
    const nowMs = systemClock.now().getTime();
    if (askedAtMs !== null && nowMs - askedAtMs > ECHO_MS) process.exit(EXIT_FAILED);
    askedAtMs ??= nowMs;
    settle({ text: signal, failed: false });
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const fail = (why: string) => settle({ text: why, failed: true });
  return { reason, fail, signal: ending.signal };
}
