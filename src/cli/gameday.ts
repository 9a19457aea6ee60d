/** `gameday`: breaks things on purpose in a private instance, and shows the loop closing. */
import { runGameDay } from "../gameday/game-day.js";
import { type Command, EXIT_FAILED, EXIT_OK, parseCommandLine, UsageError } from "./command.js";

export const gamedayCommand: Command = {
  name: "gameday",
  usage: ["gameday [--json] [--logs FILE]"],
  summary: "break things on purpose in a private instance, and show the loop closing",
  async run(args, io) {
    const { positionals, values } = parseCommandLine(args, {
      json: { type: "boolean" },
      logs: { type: "string" },
    });
    if (positionals.length > 0) throw new UsageError(`unexpected "${positionals[0]}"`);
    const told = values.json === true ? () => {} : io.out;
    const report = await runGameDay({ ...io, out: told, logFile: values.logs ?? null });
    if (values.json) io.out(JSON.stringify(report));
    return report.ok ? EXIT_OK : EXIT_FAILED;
  },
};
