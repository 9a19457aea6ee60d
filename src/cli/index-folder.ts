/** `index PATH`: real input with no account, as one job a path at a time. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { errorMessage, fault } from "../base/fault.js";
import { submitJob } from "../store/submit-job.js";
import { parseCommandLine } from "./arguments.js";
import { type Command, EXIT_OK } from "./command.js";
import { tellWhenNobodyWorks } from "./jobs.js";
import { withDatabase } from "./settings.js";

export const indexCommand: Command = {
  name: "index",
  forms: [{ usage: "index PATH", does: "index a folder of Git repositories, or one repository" }],
  async run(args, io) {
    const { operands } = parseCommandLine(args, {}, ["PATH"]);
    const [typed] = operands;
    const path = resolve(io.cwd, typed);
    await checkFolder(path, typed);
    return withDatabase(io, async (db) => {
      const { id, created } = await submitJob(db, {
        kind: "index",
        payload: { path },
        // A second one at the same time would do the same work.
        uniqueKey: `index:${path}`,
        actor: io.actor,
      });
      io.out(created ? `${id} will index ${typed}` : `${id} is already indexing ${typed}`);
      io.out(`follow it: algobrain jobs show ${id}`);
      await tellWhenNobodyWorks(db, "index", id, io);
      return EXIT_OK;
    });
  },
};

/** Now, and not by a job that fails in a minute. */
async function checkFolder(path: string, typed: string): Promise<void> {
  let found: string;
  try {
    if ((await stat(path)).isDirectory()) return;
    found = "it is a file";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    found = code === "ENOENT" ? "there is nothing of that name" : errorMessage(error);
  }
  throw fault.refused("FOLDER_UNREADABLE", `cannot index "${typed}": ${found}`, {
    hint: "name a Git repository, or a folder that holds some",
  });
}
