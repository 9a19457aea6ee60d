/** `doctor`: what is wrong with this installation, and the remedy of each (RB-01). Looks only, but for the verdict on the branch. */
import { sendHttp } from "../adapter/http.js";
import { createShell } from "../adapter/shell.js";
import { systemClock } from "../base/clock.js";
import { createRedact } from "../base/redact.js";
import { openBundleSource } from "../main/bundle-place.js";
import { openGitHost } from "../main/git-host.js";
import type { Config } from "../runtime/config.js";
import { databaseExaminations } from "../runtime/doctor/database.js";
import {
  bad,
  type Diagnosis,
  diagnose,
  type Examination,
  type Finding,
  findingOf,
} from "../runtime/doctor/diagnose.js";
import { machineExaminations } from "../runtime/doctor/machine.js";
import { examineSource, judgeIssuer, judgeReceivers } from "../runtime/doctor/outside.js";
import { reviewExaminations } from "../runtime/doctor/review.js";
import { loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import type { Database } from "../store/database.js";
import { readMigrationFiles } from "../store/migration-files.js";
import { saveProtection } from "../store/protection.js";
import { parseCommandLine } from "./arguments.js";
import { type Command, type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";
import { openConfig, withDatabaseUrl, withOpenDatabase } from "./settings.js";

export const doctorCommand: Command = {
  name: "doctor",
  forms: [
    { usage: "doctor [--json]", does: "what is wrong with this installation, and the remedy" },
  ],
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { json: { type: "boolean" } });
    const diagnoses = await examine(await openConfig(io), io);
    const isWell = diagnoses.every(({ status }) => status !== "fail");
    if (values.json) io.out(JSON.stringify({ ok: isWell, diagnoses }));
    else for (const line of describe(diagnoses)) io.out(line);
    return isWell ? EXIT_OK : EXIT_FAILED;
  },
};

/** No table: what is wrong takes sentences. The remedy stands below what it cures. */
function describe(diagnoses: readonly Diagnosis[]): string[] {
  const width = Math.max(...diagnoses.map(({ what }) => what.length));
  return diagnoses.flatMap(({ status, what, found, remedy }) => {
    const first = `${status.padEnd(4)}  ${what.padEnd(width)}  ${found}`;
    return remedy === null ? [first] : [first, `${" ".repeat(width + 8)}→ ${remedy}`];
  });
}

async function examine(config: Config, io: CommandIo): Promise<Diagnosis[]> {
  const files = await readMigrationFiles();
  const isShared = config.database.url !== null;
  const apart = (db: Database | null): Examination[] => [
    ...machineExaminations({
      home: config.home,
      nodeVersion: process.versions.node,
      shell: createShell({ redact: createRedact(config.secrets), path: io.env.PATH }),
    }),
    { what: "policies", examine: (signal) => examinePolicies(config, io, signal) },
    ...issuerOf(config),
    ...reviewOf(config, db),
  ];
  try {
    return await withDatabaseUrl(config, (url) =>
      withOpenDatabase(url, config, (db) =>
        diagnose([
          ...databaseExaminations({ db, files, clock: systemClock, isShared }),
          ...apart(db),
        ]),
      ),
    );
  } catch (error) {
    // The embedded server did not start: all the rest can still be looked at.
    return [{ what: "database", ...findingOf(error) }, ...(await diagnose(apart(null)))];
  }
}

function reviewOf(config: Config, db: Database | null): Examination[] {
  return reviewExaminations({
    repo: config.gitopsRepo,
    host: openGitHost(config),
    isLocal: config.environment === "local",
    note: async (repo, verdict) => {
      if (db !== null) await saveProtection(db, repo, verdict, systemClock.now());
    },
  });
}

/** None where only our own tokens are believed. */
function issuerOf({ oidc }: Config): Examination[] {
  if (oidc === null) return [];
  const ask = { system: "OIDC", method: "GET", url: oidc.jwksUrl, timeoutMs: 5_000 } as const;
  return [
    {
      what: "identity provider",
      examine: async (signal) => judgeIssuer(oidc, (await sendHttp({ ...ask, signal })).status),
    },
  ];
}

async function examinePolicies(
  config: Config,
  io: CommandIo,
  signal: AbortSignal,
): Promise<Finding> {
  const { policySource, environment } = config;
  const source = await openBundleSource(config, io.cwd);
  if (source !== null) return examineSource(source, signal);
  const path = policySource.kind === "directory" ? policySource.path : "policies";
  const checked = loadDirectory(await readPolicyDirectory(path, io), environment);
  if (checked.ok) return judgeReceivers(config, checked.value);
  const count = checked.problems.length;
  return bad(`${count} ${count === 1 ? "problem" : "problems"}`, "run: algobrain policy check");
}
