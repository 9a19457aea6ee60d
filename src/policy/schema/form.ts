/** The vocabulary that the schemas share: names, durations, and the patterns behind them. */

import { BYTES_PATTERN } from "../../base/bytes.js";
import type { JsonObject } from "../../base/json.js";
import { closed, Type } from "../../base/type.js";

/** Patterns and what a person should read when one does not match (`check/shape.ts`). */
export const PATTERNS = {
  bytes: BYTES_PATTERN,
  duration: "^(?:\\d+(?:ms|[smhdw]))+$",
  name: "^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$",
  metric: "^[a-z][a-z0-9_]*(?:\\.[a-z][a-z0-9_]*)+$",
  label: "^[a-z][a-z0-9_]*$",
  levelId: "^AR-\\d{2,4}$",
  runbookId: "^RB-\\d{2,3}$",
  channel: "^#[a-z0-9][a-z0-9_-]{0,78}$",
  url: "^(?:https://[^\\s/]+|http://(?:localhost|127\\.0\\.0\\.1)(?::\\d+)?)(?:/\\S*)?$",
  // After `//` would follow another host.
  path: "^/(?!/)[A-Za-z0-9_.~/-]{0,200}$",
  slackUser: "^[TE][A-Z0-9]{4,}/[UW][A-Z0-9]{4,}$",
  bucket: "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
  region: "^[a-z]{2}(?:-[a-z]+)+-\\d$",
  role: "^[a-z]+(?:-[a-z]+)*$",
  group: "^[A-Za-z0-9][A-Za-z0-9 ._:/@-]{0,127}$",
  date: "^\\d{4}-\\d{2}-\\d{2}$",
  moment: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(?::\\d{2})?Z$",
  email: "^[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\\.)+[A-Za-z]{2,24}$",
  handle: "^@[A-Za-z0-9][A-Za-z0-9_-]{0,79}$",
  account: "^\\d{12}$",
  // /16 to /20; whether it is the first address of its network, check/estate.ts says.
  cidr: "^(?:\\d{1,3}\\.){3}\\d{1,3}/(?:1[6-9]|20)$",
  host: "^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$",
  certificate: "^arn:aws:acm:[a-z0-9-]+:\\d{12}:certificate/[A-Za-z0-9-]+$",
  functionArn: "^arn:aws:lambda:[a-z0-9-]+:\\d{12}:function:[A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+)?$",
  version: "^\\d{1,2}\\.\\d{1,2}$",
  databaseClass: "^db\\.[a-z0-9]+\\.[a-z0-9]+$",
  cacheClass: "^cache\\.[a-z0-9]+\\.[a-z0-9]+$",
  databaseName: "^[a-z][a-z0-9_]{0,62}$",
  repo: "^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}$",
  publicKey: "^[A-Za-z0-9+/]{43}=$",
  digits: "^\\d{1,20}$",
  resourceType: "^aws_[a-z0-9_]+$",
  address: '^aws_[a-z0-9_]+\\.(?:\\*|[A-Za-z_][A-Za-z0-9_-]*(?:\\[(?:\\d+|"[^"\\\\]+")\\])?)$',
  respondWithin: "^(?:(?:\\d+(?:ms|[smhdw]))+|nextBusinessDay)$",
} as const;

export const Name = (description: string) => Type.String({ pattern: PATTERNS.name, description });
export const Duration = (description: string) =>
  Type.String({
    pattern: PATTERNS.duration,
    description: `${description} A duration such as 90s, 5m or 1h30m.`,
  });
export const Bytes = (description: string) =>
  Type.String({
    pattern: PATTERNS.bytes,
    description: `${description} A size such as 512MiB or 2GiB.`,
  });
export const Share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });
export const Whole = (minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, description });
/** Keys that may all be left out, and no others. */
export const some = <const P extends Parameters<typeof Type.Object>[0]>(properties: P) =>
  Type.Partial(Type.Object(properties, closed), closed);

export const byName = <const T extends Parameters<typeof Type.Record>[1]>(
  value: T,
  pattern: string = PATTERNS.name,
) => Type.Record(Type.String({ pattern }), value, closed);
export const Params = Type.Unsafe<JsonObject>({
  type: "object",
  description: "Free keys, checked by what runs.",
});
