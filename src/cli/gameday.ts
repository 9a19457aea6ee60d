/** `gameday`: breaks things on purpose in a private instance, and shows the loop closing. */
import { parseCommandLine } from "./arguments.js";
import { type Command, EXIT_FAILED, EXIT_OK } from "./command.js";

export const gamedayCommand: Command = {
  name: "gameday",
  forms: [
    {
      usage: "gameday [--json] [--logs FILE]",
      does: "break things on purpose in a private instance, and show the loop closing",
    },
  ],
  async run(args, io) {
    const { values } = parseCommandLine(args, {
      json: { type: "boolean" },
      logs: { type: "string" },
    });
    // Only here, as in serve: it loads the whole runtime.
    const { runGameDay } = await import("../gameday/game-day.js");
    const told = values.json === true ? () => {} : io.out;
    const report = await runGameDay({ ...io, out: told, logFile: values.logs ?? null });
    if (values.json) io.out(JSON.stringify(report));
    return report.ok ? EXIT_OK : EXIT_FAILED;
  },
};
