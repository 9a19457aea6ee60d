/** A saved query over the logs of all services (RB-69, HB-op-12, LB-op-09, HB-log-01, HB-log-02, HB-log-03, LB-cli-08, AL-cli-08, X-28). */
import { HOUR_MS, MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { fillQuery, REQUEST_ID_PATTERN } from "../src/runbook/aws/saved-query.js";
import { DurationText, defineRunbook, type ReadContext, Type } from "../src/runbook/define.js";

type Params = { query: string; request?: string; window: string; rows: number };
type Context = Pick<ReadContext<Params>, "aws" | "params" | "now">;

const WINDOW_MAX_MS = 24 * HOUR_MS;
const CELL_MAX = 300;
/** What Insights adds to every row: of no use to people. */
const POINTER = "@ptr";
const KIB = 1_024;

export default defineRunbook({
  name: "query-logs",
  aliases: ["logs"],
  title: "Asks the logs of all services a saved query, and shows the rows",
  danger: "R",
  params: Type.Object(
    {
      query: Type.String({
        pattern: "^[a-z][a-z0-9-]{1,63}$",
        description:
          "errors, failures-by-type, healing, by-request-id, slow-requests, errors-by-endpoint",
      }),
      request: Type.Optional(
        Type.String({ pattern: REQUEST_ID_PATTERN, description: "for by-request-id: the id" }),
      ),
      window: Type.Unsafe<string>({
        ...DurationText,
        default: "1h",
        description: "how far back from now, 24h at most",
      }),
      rows: Type.Integer({
        ...{ minimum: 1, maximum: 200, default: 50 },
        description: "rows at most",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["query", "request"],
  timeoutMs: 5 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    aws: [
      {
        actions: ["logs:StartQuery"],
        resources: ["arn:aws:logs:{region}:{account}:log-group:/ecs/{system}-*"],
      },
      { actions: ["logs:GetQueryResults", "logs:StopQuery"], resources: ["*"] },
    ],
  },
  guide:
    "AWS charges by the bytes that a query reads, and the last line says how many: begin with a short window. The same queries are saved in the console of CloudWatch.",
  plan: async (context) => {
    const { query, groups, params } = asked(context);
    return {
      text: `asks ${groups.join(", ")} of the last ${params.window}:\n${query}`,
      changes: [],
    };
  },
  steps: [
    {
      name: "ask",
      repeat: "safe",
      run: async (context) => {
        const { query, groups, windowMs, params } = asked(context);
        const to = context.now();
        const from = new Date(to.getTime() - windowMs);
        const found = await context.aws.logQuery({ groups, query, from, to, limit: params.rows });
        const { rows, scanned, truncated } = found;
        const text = [
          `${rows.length} rows of the last ${params.window}${truncated ? `, and there are more: ask a shorter window` : ""}`,
          scanned === null
            ? "how much was read is not told"
            : `${describeBytes(scanned)} were read`,
        ].join("; ");
        return rows.length === 0 ? text : { text, table: tableOf(rows) };
      },
    },
  ],
});

function asked({ aws, params }: Context) {
  const windowMs = parseDuration(params.window) ?? 0;
  if (windowMs < MINUTE_MS || windowMs > WINDOW_MAX_MS)
    throw fault.refused("WINDOW_WRONG", `found ${params.window}, expected between 1m and 24h`);
  const place = aws.place();
  const groups = Object.values(place.services).map(({ logGroup }) => logGroup);
  return { params, windowMs, groups, query: fillQuery(place, params.query, params.request) };
}

/** Columns in the order in which rows first have them. */
function tableOf(rows: readonly Readonly<Record<string, string>>[]) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter(
    (name) => name !== POINTER,
  );
  const cell = (text = "") => (text.length > CELL_MAX ? `${text.slice(0, CELL_MAX)}…` : text);
  return { columns, rows: rows.map((row) => columns.map((name) => cell(row[name]))) };
}

function describeBytes(bytes: number): string {
  const sizes = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(
    Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(KIB)),
    sizes.length - 1,
  );
  return `${Math.round((bytes / KIB ** power) * 10) / 10} ${sizes[power]}`;
}
