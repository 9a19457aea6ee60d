/** `db users`: the two database users of the services, made and granted by the user who migrates (HB-aws-24). */
import { stdin } from "node:process";
import { SecretText } from "../base/secret-text.js";
import {
  DEFAULT_GROUP,
  makeApplicationUsers,
  type UsersReport,
} from "../store/application-users.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { type CommandIo, EXIT_OK, type Verb } from "./command.js";
import { openConfig, withDatabaseUrl, withOpenDatabase } from "./settings.js";

/** Characters: longer than any password that is taken. */
const INPUT_MAX = 1_000;

export const usersVerb: Verb = {
  usage: "db users [--group NAME] [--password-stdin a|b] [--dry-run] [--json]",
  does: "make the two users of the services, or grant them what is new",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, {
      group: { type: "string" },
      "password-stdin": { type: "string" },
      "dry-run": { type: "boolean" },
      json: { type: "boolean" },
    });
    const user = readUser(values["password-stdin"]);
    const dryRun = values["dry-run"] === true;
    const login = user === null ? null : { user, password: await readPassword(io) };
    const config = await openConfig(io);
    const report = await withDatabaseUrl(config, (url) =>
      withOpenDatabase(url, config, (db) =>
        makeApplicationUsers(db, { group: values.group ?? DEFAULT_GROUP, login, dryRun }),
      ),
    );
    if (values.json) io.out(JSON.stringify({ dryRun, ...report }));
    else show(report, dryRun, io);
    return EXIT_OK;
  },
};

function readUser(text: string | undefined): "a" | "b" | null {
  if (text === undefined) return null;
  if (text === "a" || text === "b") return text;
  throw new UsageError(`--password-stdin: found "${text}", expected a or b`);
}

/** The first line: what `openssl rand -hex 24` prints. Never an argument, which every user of the machine sees. */
async function readPassword(io: CommandIo): Promise<SecretText> {
  if (io.terminal !== null)
    throw new UsageError(
      "--password-stdin: found a terminal, expected a password through a pipe or from a file",
    );
  let text = "";
  for await (const chunk of stdin.setEncoding("utf8")) {
    text += chunk;
    if (text.includes("\n") || text.length > INPUT_MAX) break;
  }
  return new SecretText(text.split(/\r?\n/)[0]!);
}

function show({ group, users, statements, lacks }: UsersReport, dryRun: boolean, io: CommandIo) {
  for (const statement of statements) io.out(dryRun ? `would run: ${statement}` : statement);
  for (const { name, mayLogIn } of users)
    io.out(`${name}: ${mayLogIn ? "may log in" : "may not log in until it has a password"}`);
  for (const lack of lacks) io.out(`not given: ${lack}`);
  io.out(dryRun ? "nothing was changed" : `${group} has what the services need, and owns nothing`);
}
