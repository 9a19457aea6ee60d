/**
 * `db prepare`: what the database and the secrets of an environment need before its services can start, with values that
 * nobody sees. It is the task of that name in AWS; `infra prepare` runs it.
 */
import { randomBytes } from "node:crypto";
import { fault } from "../base/fault.js";
import { makeSecretValue } from "../base/secret-kinds.js";
import { SecretText } from "../base/secret-text.js";
import { openPreparation, type Preparation } from "../main/preparation.js";
import type { PolicySet } from "../policy/policy.js";
import { secretsInUse } from "../policy/secret-uses.js";
import type { Config } from "../runtime/config.js";
import { DEFAULT_GROUP } from "../store/application-users.js";
import type { Database } from "../store/database.js";
import { giveFirstLogin } from "../store/first-login.js";
import { migrate } from "../store/migrate.js";
import { readMigrationFiles } from "../store/migration-files.js";
import { parseCommandLine } from "./arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK, type Verb } from "./command.js";
import { policyOf } from "./infra/policy-of.js";
import { openConfig, withOpenDatabase } from "./settings.js";

const ADDRESS = "database-url";
/** Migrations of an empty database take a second; waiting for another task, five minutes at most. */
const DEADLINE_MS = 14 * 60_000;

export const prepareVerb: Verb = {
  usage: "db prepare",
  does: "in AWS, before there are services: migrate, make the users, give secrets their first values",
  run: async (args, io) => {
    parseCommandLine(args, {});
    const config = await openConfig({ ...io, env: withSomeSecret(io.env) });
    const { environment } = config;
    const policy = await policyOf({ env: environment, policies: "policies" }, io);
    if (policy === null) return EXIT_FAILED;
    const opened = openPreparation(policy, config, AbortSignal.timeout(DEADLINE_MS));
    try {
      await prepare({ policy, config, opened, io });
    } finally {
      await opened.close();
    }
    return EXIT_OK;
  },
};

/** No program begins in production without one, and this one may be what makes it. It signs nothing and ends with the process. */
function withSomeSecret(env: CommandIo["env"]): CommandIo["env"] {
  return { ...env, JWT_SECRET: env.JWT_SECRET ?? randomBytes(32).toString("hex") };
}

interface Work {
  readonly policy: PolicySet;
  readonly config: Config;
  readonly opened: Pick<Preparation, "secrets" | "place">;
  readonly io: CommandIo;
}

async function prepare(work: Work): Promise<void> {
  const { url } = work.config.database;
  if (url === null)
    throw fault.refused("CONFIG_INVALID", "DATABASE_URL: found none, expected the owner's address");
  await withOpenDatabase(url, work.config, async (db) => {
    const { applied } = await migrate(db, await readMigrationFiles());
    work.io.out(`applied ${applied.length} migrations`);
    await makeRandomValues(work);
    await makeAddress(db, url, work);
  });
}

async function makeRandomValues({ policy, opened: { secrets, place }, io }: Work): Promise<void> {
  for (const { name, made } of secretsInUse(policy)) {
    if (made === undefined || made === "address") continue;
    const isNew =
      !(await secrets.hasValue(name)) &&
      (await secrets.putFirst(name, makeSecretValue(made, randomBytes)));
    io.out(`${place.secretOf(name)}: ${isNew ? "has its first value" : "has a value already"}`);
  }
}

async function makeAddress(db: Database, url: string, { config, opened, io }: Work): Promise<void> {
  const { secrets, place } = opened;
  const outcome = await giveFirstLogin(db, {
    ...{ group: DEFAULT_GROUP, address: new SecretText(url), ssl: config.database.ssl },
    password: makeSecretValue("database", randomBytes),
    secret: {
      hasValue: () => secrets.hasValue(ADDRESS),
      putFirst: (value) => secrets.putFirst(ADDRESS, value),
      read: () => secrets.read(ADDRESS),
    },
  });
  const user = `${DEFAULT_GROUP}_a`;
  const words = outcome === "given" ? `${user} can log in with it` : "has a value already";
  io.out(`${place.secretOf(ADDRESS)}: ${words}`);
}
